package ratelimit_test

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/ratelimit"
)

const domain = "example.org"

func limits(t testing.TB, text string) []ratelimit.Limit {
	t.Helper()
	parsed, err := ratelimit.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func service(name string) contract.Caller {
	return contract.Caller{ID: "spiffe://" + domain + "/" + name}
}

// clock is where a test stands in time.
type clock struct{ time.Time }

func (c *clock) pass(d time.Duration) { c.Time = c.Add(d) }

// passed takes n calls and returns how many were let in.
func passed(l *ratelimit.Limiter, c contract.Caller, addr net.Addr, now time.Time, n int) (in int) {
	for range n {
		if !l.Take(c, domain, addr, now).Refused {
			in++
		}
	}
	return in
}

func TestBucketFillsAtItsRate(t *testing.T) {
	l := ratelimit.New(limits(t, "10/s burst 20"))
	now, web := &clock{time.Now()}, service("web")
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{0, 20}, {0, 0}, {99 * time.Millisecond, 0}, {time.Millisecond, 1}, {time.Second, 10}, {time.Hour, 20}, {0, 0},
	} {
		now.pass(step.after)
		if got := passed(l, web, nil, now.Time, 50); got != step.want {
			t.Errorf("after %v: %d of 50 let in, want %d", step.after, got, step.want)
		}
	}
}

func TestDecisionTellsWhatIsLeft(t *testing.T) {
	l := ratelimit.New(limits(t, "2/m burst 3"))
	now := &clock{time.Now()}
	for _, want := range []ratelimit.Decision{
		{Remaining: 2, More: 30 * time.Second}, {Remaining: 1, More: 20 * time.Second}, {Remaining: 0, More: 10 * time.Second},
	} {
		got := l.Take(service("web"), domain, nil, now.Time)
		if got.Limit == nil || got.Limit.String() != "2/m burst 3" || got.Policy() != `"caller";q=3;w=90` {
			t.Fatalf("the limit is %v", got.Limit)
		}
		got.Limit = nil
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		now.pass(10 * time.Second)
	}
	now.pass(-10 * time.Second) // three calls of 30 s each were taken in 20 s
	d := l.Take(service("web"), domain, nil, now.Time)
	if !d.Refused || d.More != 10*time.Second || d.State() != `"caller";r=0;t=10` {
		t.Errorf("refused: %+v, %s", d, d.State())
	}
}

func TestCallersDoNotShare(t *testing.T) {
	ip := func(text string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(text), Port: 1} }
	for name, tc := range map[string]struct {
		limits string
		a, b   contract.Caller
		at, bt net.Addr
		shared bool
	}{
		"services":                           {"1/h", service("a"), service("b"), ip("1.1.1.1"), ip("1.1.1.1"), false},
		"one service, two machines":          {"1/h", service("a"), service("a"), ip("1.1.1.1"), ip("2.2.2.2"), true},
		"users of one service":               {"1/h", contract.Caller{ID: "x", Subject: "1"}, contract.Caller{ID: "x", Subject: "2"}, nil, nil, false},
		"users of a service with a limit":    {"web=1/h", contract.Caller{ID: service("web").ID, Subject: "1"}, contract.Caller{ID: service("web").ID, Subject: "2"}, nil, nil, true},
		"a user by two services":             {"user:*=1/h", contract.Caller{ID: "x", Subject: "1"}, contract.Caller{ID: "y", Subject: "1"}, nil, nil, true},
		"a user named as a service":          {"1/h", contract.Caller{Subject: "x"}, contract.Caller{ID: "x"}, nil, nil, false},
		"strangers":                          {"1/h", contract.Caller{}, contract.Caller{}, ip("1.1.1.1"), ip("1.1.1.2"), false},
		"a stranger by two connections":      {"1/h", contract.Caller{}, contract.Caller{}, ip("1.1.1.1"), &net.TCPAddr{IP: net.IPv4(1, 1, 1, 1), Port: 9}, true},
		"an address of 4 bytes and of 16":    {"1/h", contract.Caller{}, contract.Caller{}, &net.TCPAddr{IP: net.IP{1, 1, 1, 1}}, ip("1.1.1.1"), true},
		"one network of IPv6":                {"1/h", contract.Caller{}, contract.Caller{}, ip("2001:db8::1"), ip("2001:db8::ffff:1"), true},
		"two networks of IPv6":               {"1/h", contract.Caller{}, contract.Caller{}, ip("2001:db8:0:1::1"), ip("2001:db8:0:2::1"), false},
		"an address that is only text":       {"1/h", contract.Caller{}, contract.Caller{}, &net.UDPAddr{IP: net.IPv4(1, 1, 1, 1)}, ip("1.1.1.1"), true},
		"addresses that are no IP addresses": {"1/h", contract.Caller{}, contract.Caller{}, &net.UnixAddr{Name: "a"}, &net.UnixAddr{Name: "b"}, false},
		"no address":                         {"1/h", contract.Caller{}, contract.Caller{}, nil, nil, true},
	} {
		l, now := ratelimit.New(limits(t, tc.limits)), time.Now()
		if l.Take(tc.a, domain, tc.at, now).Refused {
			t.Errorf("%s: the first call was refused", name)
		}
		if got := l.Take(tc.b, domain, tc.bt, now).Refused; got != tc.shared {
			t.Errorf("%s: the second is refused: %t, want %t", name, got, tc.shared)
		}
	}
}

func TestFirstLimitThatNamesTheCallerHolds(t *testing.T) {
	l, now := ratelimit.New(limits(t, "web-*=3/h, user:vip=5/h, web-a=9/h")), time.Now()
	for _, tc := range []struct {
		caller contract.Caller
		want   int
	}{
		{service("web-a"), 3}, {service("web-b"), 3}, {contract.Caller{Subject: "vip"}, 5},
		{service("other"), 20}, {contract.Caller{}, 20}, // nothing limits them
	} {
		if got := passed(l, tc.caller, nil, now, 20); got != tc.want {
			t.Errorf("%+v: %d of 20 let in, want %d", tc.caller, got, tc.want)
		}
	}
	if d := l.Take(service("other"), domain, nil, now); d != (ratelimit.Decision{}) {
		t.Errorf("without a limit: %+v", d)
	}
}

// A caller that is away for longest goes first; one that keeps calling keeps its bucket.
func TestMemoryIsBounded(t *testing.T) {
	l, now := ratelimit.New(limits(t, "1/h")), time.Now()
	stranger := func(i int) net.Addr { return &net.TCPAddr{IP: net.IPv4(10, byte(i>>16), byte(i>>8), byte(i))} }
	busy := service("busy")
	l.Take(busy, domain, nil, now)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 100_000 {
		l.Take(contract.Caller{}, domain, stranger(i), now)
		if i%1000 == 0 && !l.Take(busy, domain, nil, now).Refused {
			t.Fatalf("the busy caller was forgotten at %d", i)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("100,000 callers take %d bytes, want at most 8 MiB", grown)
	}
	if l.Take(contract.Caller{}, domain, stranger(0), now).Refused {
		t.Error("the first of 100,000 is still remembered")
	}
	if !l.Take(contract.Caller{}, domain, stranger(99_999), now).Refused {
		t.Error("the last of 100,000 is forgotten")
	}
	runtime.KeepAlive(l)
}

func TestOldestGoesFirst(t *testing.T) {
	l, now := ratelimit.NewSize(limits(t, "1/h"), 3), time.Now()
	refused := func(name string) bool { return l.Take(service(name), domain, nil, now).Refused }
	for _, step := range []struct {
		name    string
		refused bool
	}{
		{"a", false}, {"b", false}, {"c", false}, {"a", true}, {"d", false}, // b goes
		{"a", true}, {"c", true}, {"d", true}, {"b", false}, // a goes
		{"a", false},
	} {
		if got := refused(step.name); got != step.refused {
			t.Errorf("%s is refused: %t, want %t", step.name, got, step.refused)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	l, now := ratelimit.NewSize(limits(t, "100/h"), 50), time.Now()
	var in atomic.Int64
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 1000 {
				if !l.Take(service("one"), domain, nil, now).Refused {
					in.Add(1)
				}
				if i%100 == 0 {
					l.Take(service(fmt.Sprint(g)), domain, nil, now)
				}
			}
		})
	}
	all.Wait()
	if in.Load() != 100 {
		t.Errorf("%d calls let in, want 100", in.Load())
	}
}

func TestNoLimits(t *testing.T) {
	if ratelimit.New(nil) != nil {
		t.Error("a limiter without limits")
	}
}

func TestTakeDoesNotAllocate(t *testing.T) {
	l, now := ratelimit.New(limits(t, "web=1/s, *=1/s")), time.Now()
	var addr net.Addr = &net.TCPAddr{IP: net.IPv4(1, 1, 1, 1)}
	web := service("web")
	if n := testing.AllocsPerRun(1000, func() {
		l.Take(web, domain, addr, now)
		l.Take(contract.Caller{}, domain, addr, now)
	}); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkTake(b *testing.B) {
	l, now := ratelimit.New(limits(b, "web=1000000/s, *=1/s")), time.Now()
	web := service("web")
	b.ReportAllocs()
	for b.Loop() {
		l.Take(web, domain, nil, now)
	}
}
