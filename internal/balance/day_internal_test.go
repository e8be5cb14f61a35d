package balance

import (
	"container/heap"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/race"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"

	"github.com/betmakers/paddock/internal/contract"
)

// day drives a policy without a transport and in virtual time, so that a day of calls takes
// seconds.
type day struct {
	*rand.Rand
	*taken
	policy *policy
	picker *picker
	now    time.Duration // since the beginning
	calls  int
	ends   ends
	from   int // the place of the replica that the newest call went to
}

// end is the end of a call to come.
type end struct {
	at, took time.Duration
	failed   bool
	attempt  attempt
}

type ends []end

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].at < e[j].at }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(end)) }
func (e *ends) Pop() any          { last := (*e)[len(*e)-1]; *e = (*e)[:len(*e)-1]; return last }

// inTurn is a child that goes through the replicas in a fixed order.
type inTurn struct {
	to   []*subConn
	next int
}

func (c *inTurn) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	c.next++
	return balancer.PickResult{SubConn: c.to[c.next%len(c.to)]}, nil
}

var methodNames = []string{"fast", "slow", "rare", "poll"}

// newDay skips the test with the race detector: a day is one goroutine, with millions of calls.
// make test runs it without.
func newDay(t testing.TB, seed uint64, replicas int) *day {
	t.Helper()
	if race.Detector {
		t.Skip("one goroutine: make test runs it without the race detector")
	}
	var methods []*contract.Method
	for _, name := range methodNames {
		methods = append(methods, &contract.Method{FullMethod: "/" + name, Name: name})
	}
	log := &taken{}
	peer, err := NewPeer(Options{Peer: "test", Methods: methods, Logger: slog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	d := &day{taken: log, Rand: rand.New(rand.NewPCG(seed, 0)), policy: newPolicy(peer, time.Now())}
	var endpoints []resolver.Endpoint
	for i := range replicas {
		endpoints = append(endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: fmt.Sprint(i)}}})
	}
	d.policy.resolved(endpoints)
	child := &inTurn{}
	for _, r := range d.policy.judge.replicas {
		r.since.Store(0)
		child.to = append(child.to, &subConn{replica: r})
	}
	d.picker = &picker{policy: d.policy, child: child}
	return d
}

// answer says of a call what becomes of it at a replica.
type answer func(d *day, method string, replica int) (took time.Duration, failed bool)

// load makes calls, at random times, of methods that mix names.
func (d *day) load(lasts time.Duration, rate float64, mix func(*day) string, answer answer) {
	for until := d.now + lasts; ; {
		pause := time.Duration(d.ExpFloat64() / rate * float64(time.Second))
		if d.now+pause >= until {
			d.now = until
			return
		}
		d.now += pause
		d.call(mix(d), answer)
	}
}

func (d *day) call(method string, answer answer) {
	for len(d.ends) > 0 && d.ends[0].at <= d.now {
		e := heap.Pop(&d.ends).(end)
		e.attempt.end(e.took, e.failed)
	}
	now := instant(d.now / time.Millisecond)
	d.policy.judge.round(now)
	result, _ := d.picker.choose(balancer.PickInfo{}, now)
	r := result.SubConn.(*subConn).replica
	for i, other := range d.policy.judge.replicas {
		if other == r {
			d.from = i
		}
	}
	d.calls++
	took, failed := answer(d, method, d.from)
	heap.Push(&d.ends, end{d.now + took, took, failed, begin(d.policy, r, d.policy.peer.lookup("/"+method), now)})
}

// isOut reports whether a replica is out.
func (d *day) isOut(i int) bool { return d.policy.judge.replicas[i].absence.out.Load() }

// taken counts how often replicas were taken out.
type taken struct {
	ejections int
	slog.Handler
}

func (*taken) Enabled(_ context.Context, l slog.Level) bool { return l == slog.LevelWarn }
func (l *taken) WithAttrs([]slog.Attr) slog.Handler         { return l }
func (l *taken) Handle(context.Context, slog.Record) error {
	l.ejections++
	return nil
}

func (d *day) lognormal(median time.Duration, sigma float64) time.Duration {
	return time.Duration(float64(median) * math.Exp(sigma*d.NormFloat64()))
}

func (d *day) pareto(least time.Duration, shape float64) time.Duration {
	return min(time.Minute, time.Duration(float64(least)*math.Pow(1-d.Float64(), -1/shape)))
}

func (d *day) chance(p float64) bool { return d.Float64() < p }

// half of the calls are of the fast method, and so on.
func half(d *day) string {
	if d.chance(.5) {
		return "fast"
	}
	return "slow"
}

func often(d *day) string {
	switch x := d.Float64(); {
	case x < .01:
		return "rare"
	case x < .2:
		return "slow"
	case x < .25:
		return "poll"
	default:
		return "fast"
	}
}

func single(*day) string { return "fast" }

// healthy are services of which no replica is to blame.
func healthy() map[string]struct {
	mix    func(*day) string
	answer answer
} {
	type service = struct {
		mix    func(*day) string
		answer answer
	}
	at := func(d *day, every, lasts time.Duration) bool { return d.now%every < lasts }
	return map[string]service{
		"a fast and a slow method": {half, func(d *day, m string, _ int) (time.Duration, bool) {
			if m == "slow" {
				return 500 * time.Millisecond, false
			}
			return time.Millisecond, false
		}},
		"one method with two modes": {single, func(d *day, _ string, _ int) (time.Duration, bool) {
			if d.chance(.5) {
				return 500 * time.Millisecond, false
			}
			return time.Millisecond, false
		}},
		"lognormal": {often, func(d *day, m string, _ int) (time.Duration, bool) {
			if m == "poll" {
				return d.lognormal(20*time.Second, .5), false
			}
			return d.lognormal(20*time.Millisecond, 2.5), d.chance(.05)
		}},
		"pareto": {often, func(d *day, m string, _ int) (time.Duration, bool) {
			return d.pareto(time.Millisecond, .7), m == "slow" || d.chance(.3)
		}},
		"large requests in bursts": {single, func(d *day, _ string, _ int) (time.Duration, bool) {
			if d.calls/10%2 == 0 {
				return d.lognormal(time.Second, .3), false
			}
			return d.lognormal(5*time.Millisecond, .3), d.calls/100%4 == 0
		}},
		"large requests in turn": {single, func(d *day, _ string, _ int) (time.Duration, bool) {
			if d.calls%2 == 0 {
				return time.Second, true
			}
			return 5 * time.Millisecond, false
		}},
		"large requests in turn of three": {single, func(d *day, _ string, _ int) (time.Duration, bool) {
			if d.calls%3 == 0 {
				return time.Second, true
			}
			return 5 * time.Millisecond, false
		}},
		"all stall now and then": {often, func(d *day, _ string, _ int) (time.Duration, bool) {
			if at(d, 20*time.Second, 4*time.Second) {
				return 4*time.Second - d.now%(20*time.Second) + d.lognormal(5*time.Millisecond, .5), d.chance(.5)
			}
			return d.lognormal(5*time.Millisecond, .5), false
		}},
		"each stalls now and then": {often, func(d *day, _ string, r int) (time.Duration, bool) {
			took := d.lognormal(5*time.Millisecond, .5)
			if phase := (d.now + time.Duration(r)*7*time.Second) % (20 * time.Second); phase < 500*time.Millisecond {
				took += 500*time.Millisecond - phase
			}
			return took, false
		}},
		"failures in bursts": {half, func(d *day, m string, _ int) (time.Duration, bool) {
			return d.lognormal(5*time.Millisecond, .5), m == "slow" || at(d, time.Minute, 3*time.Second)
		}},
	}
}

// alike are so many calls a second to so many replicas.
type alike struct {
	rate     float64
	replicas int
	lasts    time.Duration
}

// Replicas that are alike are left alone, whatever their calls are like.
func TestHealthyReplicas(t *testing.T) {
	loads := []alike{
		{2, 2, time.Hour}, {2, 3, time.Hour}, {15, 3, 20 * time.Minute}, {15, 7, 5 * time.Minute},
		{1000, 3, time.Minute}, {4000, 2, 10 * time.Second},
	}
	if *long > 0 {
		loads = []alike{{2, 3, *long}, {15, 3, *long}, {1000, 3, *long}}
	}
	for name, service := range healthy() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, load := range loads {
				d, began := newDay(t, *seed, load.replicas), time.Now()
				d.load(load.lasts, load.rate, service.mix, service.answer)
				t.Logf("%4v calls/s to %d replicas for %s: %d calls, %d ejections, in %s",
					load.rate, load.replicas, load.lasts, d.calls, d.ejections, time.Since(began).Round(time.Second/10))
				if d.ejections > 0 {
					t.Errorf("of %d replicas that are alike %d were taken out in %s at %v calls/s",
						load.replicas, d.ejections, load.lasts, load.rate)
				}
			}
		})
	}
}

var (
	long = flag.Duration("day", 0, "how long healthy replicas are tested at 2, 15 and 1,000 calls a second; 24h takes hours")
	seed = flag.Uint64("seed", 1, "of what is random")
)

// One replica of three that is slow, or fails, is found in the time that the calls take to prove
// it.
func TestSickReplicaIsFound(t *testing.T) {
	slower := func(times int) answer {
		return func(d *day, method string, replica int) (time.Duration, bool) {
			took := d.lognormal(10*time.Millisecond, .3)
			if method == "slow" {
				took = d.lognormal(500*time.Millisecond, .3)
			}
			if replica == 1 {
				took *= time.Duration(times)
			}
			return took, false
		}
	}
	fails := func(share float64) answer {
		return func(d *day, _ string, replica int) (time.Duration, bool) {
			return d.lognormal(10*time.Millisecond, .3), replica == 1 && d.chance(share) || d.chance(.01)
		}
	}
	for name, test := range map[string]struct {
		mix    func(*day) string
		answer answer
		within map[float64]time.Duration // by calls a second
	}{
		"six times slower": {single, slower(6), map[float64]time.Duration{2: time.Minute, 15: 12 * time.Second, 100: 5 * time.Second, 1000: 5 * time.Second, 3000: 5 * time.Second}},
		"twenty times":     {single, slower(20), map[float64]time.Duration{2: time.Minute, 15: 12 * time.Second, 100: 4 * time.Second, 1000: 8 * time.Second, 3000: 8 * time.Second}},
		"of two methods":   {half, slower(20), map[float64]time.Duration{15: 25 * time.Second, 100: 6 * time.Second, 1000: 6 * time.Second}},
		"fails":            {half, fails(1), map[float64]time.Duration{2: time.Minute, 15: 12 * time.Second, 100: 3 * time.Second, 1000: 8 * time.Second, 3000: 8 * time.Second}},
		"half fail":        {half, fails(.5), map[float64]time.Duration{15: 30 * time.Second, 100: 8 * time.Second, 1000: 8 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for rate, most := range test.within {
				d := newDay(t, *seed, 3)
				d.load(3*time.Minute, rate, test.mix, slower(1))
				begun := d.now
				for !d.isOut(1) && d.now < begun+most {
					d.load(time.Second/10, rate, test.mix, test.answer)
				}
				t.Logf("%4.0f calls/s: %s", rate, (d.now - begun).Round(time.Second/10))
				if !d.isOut(1) || d.isOut(0) || d.isOut(2) {
					t.Errorf("at %v calls/s the replica is not out, or another one is, after %s", rate, most)
				}
			}
		})
	}
}

// A replica stays in use where half of them are out already.
func TestHalfStayInUse(t *testing.T) {
	d := newDay(t, *seed, 4)
	sick := 0
	answer := func(_ *day, _ string, replica int) (time.Duration, bool) { return 5 * time.Millisecond, replica < sick }
	for sick < 3 {
		sick++
		d.load(4*time.Second, 200, single, answer)
		if want := min(sick, 2); d.policy.judge.countOut() != want {
			t.Errorf("%d replicas of 4 are out where %d fail, want %d", d.policy.judge.countOut(), sick, want)
		}
	}
}

// A replica that stalls for less than a round is not taken out, and one that answers nothing any
// more is.
func TestStall(t *testing.T) {
	for lasts, want := range map[time.Duration]bool{800 * time.Millisecond: false, time.Minute: true} {
		d := newDay(t, *seed, 3)
		fine := func(d *day, _ string, _ int) (time.Duration, bool) { return d.lognormal(5*time.Millisecond, .5), false }
		d.load(20*time.Second, 300, single, fine)
		end := d.now + lasts
		d.load(10*time.Second, 300, single, func(d *day, m string, r int) (time.Duration, bool) {
			took, failed := fine(d, m, r)
			if r == 1 {
				took += max(0, end-d.now)
			}
			return took, failed
		})
		if got := d.ejections > 0; got != want {
			t.Errorf("a replica that stalls for %s is taken out: %t", lasts, got)
		}
	}
}
