package dependency_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"

	"github.com/betmakers/paddock/chassis/internal/dependency"
	"github.com/betmakers/paddock/health"
)

// conn is a connection whose state a test sets.
type conn struct {
	mu      sync.Mutex
	state   connectivity.State
	changed chan struct{}
	asked   int // to connect
}

func newConn() *conn { return &conn{changed: make(chan struct{})} }

func (c *conn) set(state connectivity.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = state
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *conn) GetState() connectivity.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *conn) WaitForStateChange(ctx context.Context, from connectivity.State) bool {
	c.mu.Lock()
	state, changed := c.state, c.changed
	c.mu.Unlock()
	if state != from {
		return true
	}
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *conn) Connect() {
	c.mu.Lock()
	c.asked++
	c.mu.Unlock()
	c.set(connectivity.Connecting)
}

// fleet is instances at 10.0.0.0 and on, which share a fate or do not.
type fleet struct {
	mu        sync.Mutex
	instances []*instance
	lookup    func() ([]string, error) // nil: all
	asked     int
}

type instance struct {
	conn    *conn
	monitor *health.Monitor
}

// newFleet starts n instances of a service that requires wallet, whose connections are there unless
// down. DNS lists all of them unless there is a lookup.
func newFleet(t *testing.T, n int, down bool, lookup ...func() ([]string, error)) *fleet {
	t.Helper()
	f := &fleet{}
	for _, l := range lookup {
		f.lookup = l
	}
	for i := range n {
		monitor, err := health.New(health.Config{})
		if err != nil {
			t.Fatal(err)
		}
		in := &instance{conn: newConn(), monitor: monitor}
		in.conn.set(connectivity.Ready)
		if down {
			in.conn.set(connectivity.TransientFailure)
		}
		f.instances = append(f.instances, in)
		members := &dependency.Fleet{
			Host: "till", Ready: f.ready,
			Lookup: func(context.Context, string) ([]string, error) { return f.list() },
			Own:    func() ([]net.Addr, error) { return []net.Addr{&net.IPNet{IP: net.ParseIP(address(i))}}, nil },
		}
		if err := monitor.Add(dependency.Hard("wallet", in.conn, members, slog.New(slog.DiscardHandler))); err != nil {
			t.Fatal(err)
		}
	}
	for _, in := range f.instances {
		in.monitor.Start(t.Context())
		in.monitor.SetServing(true)
	}
	time.Sleep(15 * time.Second) // of a bubble
	t.Cleanup(func() {
		for _, in := range f.instances {
			if err := in.monitor.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return f
}

func address(i int) string { return fmt.Sprintf("10.0.0.%d", i) }

func (f *fleet) list() ([]string, error) {
	f.mu.Lock()
	lookup := f.lookup
	f.mu.Unlock()
	if lookup != nil {
		return lookup()
	}
	return f.all(), nil
}

func (f *fleet) all() (all []string) {
	for i := range f.instances {
		all = append(all, address(i))
	}
	return all
}

func (f *fleet) ready(_ context.Context, at string) bool {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	for i, in := range f.instances {
		if address(i) == at {
			return in.monitor.Ready()
		}
	}
	return false
}

// count returns how many are ready, and how many of them degraded.
func (f *fleet) count() (ready, degraded int) {
	for _, in := range f.instances {
		if in.monitor.Ready() {
			ready++
		}
		if in.monitor.Status().Checks[0].Degraded {
			degraded++
		}
	}
	return ready, degraded
}

func (f *fleet) expect(t *testing.T, when string, wantReady, wantDegraded int) {
	t.Helper()
	synctest.Wait()
	if ready, degraded := f.count(); ready != wantReady || degraded != wantDegraded {
		t.Errorf("%s: %d ready, %d degraded, want %d and %d", when, ready, degraded, wantReady, wantDegraded)
	}
}

func TestHardHoldsTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, true)
		time.Sleep(2 * time.Minute)
		f.expect(t, "without the dependency", 0, 0)
		if text := f.instances[0].monitor.Status().Checks[0].LastError; !strings.Contains(text, "no connection to wallet (TRANSIENT_FAILURE): there was none since the start") {
			t.Errorf("says %q", text)
		}
		for _, in := range f.instances {
			in.conn.set(connectivity.Ready)
		}
		time.Sleep(3 * time.Second)
		f.expect(t, "with it", 3, 0)
	})
}

// One instance has lost the dependency: it leaves, after it has been patient, and comes back with
// the connection.
func TestHardLostByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, false)
		f.expect(t, "at first", 3, 0)
		one := f.instances[1]
		one.conn.set(connectivity.TransientFailure)
		time.Sleep(4 * time.Second)
		f.expect(t, "at the loss", 3, 1)
		time.Sleep(16 * time.Second)
		f.expect(t, "then", 2, 0)
		if one.monitor.Ready() {
			t.Error("another one has left")
		}
		time.Sleep(2 * time.Minute)
		f.expect(t, "two minutes later", 2, 0)
		one.conn.set(connectivity.Ready)
		time.Sleep(3 * time.Second)
		f.expect(t, "with the connection", 3, 0)
		one.conn.set(connectivity.TransientFailure)
		time.Sleep(20 * time.Second)
		f.expect(t, "once more", 2, 0)
	})
}

// All instances have lost it, at once or one after the other: at least half of them stay, for as
// long as it takes.
func TestHardLostByAll(t *testing.T) {
	for _, n := range []int{1, 2, 3, 36} {
		for _, pause := range []time.Duration{0, 3 * time.Second} {
			t.Run(fmt.Sprint(n, pause), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, n, false)
					f.expect(t, "at first", n, 0)
					for _, in := range f.instances {
						in.conn.set(connectivity.TransientFailure)
						time.Sleep(pause)
					}
					least := n
					for range 600 {
						time.Sleep(100 * time.Millisecond)
						ready, _ := f.count()
						least = min(least, ready)
					}
					ready, degraded := f.count()
					want := n / 2
					if n > 32 { // of whom a sample is asked
						want = n / 3
					}
					if least < max(1, want) || degraded != ready {
						t.Errorf("%d ready, %d of them degraded; at the least %d", ready, degraded, least)
					}
					time.Sleep(2 * time.Minute)
					f.expect(t, "two minutes later", ready, ready)
					for _, in := range f.instances {
						in.conn.set(connectivity.Ready)
					}
					time.Sleep(3 * time.Second)
					f.expect(t, "with the connection", n, 0)
				})
			})
		}
	}
}

// An instance that has left comes back when too few of the others remain.
func TestHardComesBackWhenNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, false)
		f.instances[0].conn.set(connectivity.TransientFailure)
		time.Sleep(20 * time.Second)
		f.expect(t, "the loss", 2, 0)
		f.instances[1].monitor.SetServing(false)
		time.Sleep(5 * time.Second)
		f.expect(t, "another one stops", 2, 1)
		f.instances[1].monitor.SetServing(true)
		time.Sleep(time.Minute)
		f.expect(t, "and is back", 3, 1) // what fails open does so until its dependency is back
	})
}

// Whatever is not known about the others is a reason to stay.
func TestHardWithoutAFleet(t *testing.T) {
	for name, test := range map[string]struct {
		before, after func() ([]string, error) // nil: all instances
		says          string
	}{
		"no such name from the start": {notFound, nil, "till has never listed this instance"},
		"a balancer's one address":    {func() ([]string, error) { return []string{"10.1.0.1"}, nil }, nil, "till has never listed this instance"},
		"no DNS now":                  {nil, func() ([]string, error) { return nil, errors.New("no route") }, "till cannot be looked up: no route"},
		"nobody is listed now":        {nil, notFound, "0 of usually 3 instances are ready beside this one"},
		"nobody answers": {nil, func() ([]string, error) { return []string{"10.0.0.0", "10.1.0.1", "10.1.0.2"}, nil },
			"0 of usually 3 instances are ready beside this one"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3, false, test.before)
				f.mu.Lock()
				if test.after != nil {
					f.lookup = test.after
				}
				f.mu.Unlock()
				f.instances[0].conn.set(connectivity.TransientFailure)
				time.Sleep(20 * time.Second)
				f.expect(t, "later", 3, 1)
				if text := f.instances[0].monitor.Status().Checks[0].LastError; !strings.Contains(text, "failing open: "+test.says) {
					t.Errorf("says %q", text)
				}
			})
		})
	}
}

func notFound() ([]string, error) { return nil, &net.DNSError{IsNotFound: true} }

// An idle connection is made again, and a closed one is not there.
func TestHardConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConn()
		check := dependency.Hard("wallet", c, &dependency.Fleet{}, slog.New(slog.DiscardHandler))
		if err := check.Probe(t.Context()); err == nil || c.asked != 1 {
			t.Errorf("got %v, asked %d times to connect", err, c.asked)
		}
		c.set(connectivity.Shutdown)
		if err := check.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "SHUTDOWN") {
			t.Errorf("got %v", err)
		}
		if check.Soft || check.FailAfter != 1 {
			t.Errorf("got %+v", check)
		}
	})
}

func TestSoft(t *testing.T) {
	c := newConn()
	check := dependency.Soft("wallet", c)
	if !check.Soft || check.Name != "wallet" {
		t.Errorf("got %+v", check)
	}
	for _, step := range []struct {
		state connectivity.State
		well  bool
	}{
		{connectivity.Idle, true},
		{connectivity.Connecting, true},
		{connectivity.TransientFailure, false},
		{connectivity.Connecting, false},
		{connectivity.Ready, true},
		{connectivity.Connecting, true},
		{connectivity.Shutdown, false},
		{connectivity.Idle, true},
	} {
		c.set(step.state)
		if err := check.Probe(t.Context()); (err == nil) != step.well {
			t.Errorf("%s: %v, want well: %v", step.state, err, step.well)
		}
	}
	if c.asked != 0 {
		t.Errorf("it has been asked to connect %d times", c.asked)
	}
}

// Instances that have gone are missed for a while: they may have lost what this one is about to
// lose. Later the fleet is as small as it is.
func TestFleetRemembers(t *testing.T) {
	for after, stays := range map[time.Duration]bool{time.Minute: true, 15 * time.Minute: false} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var size atomic.Int32
				size.Store(4)
				c := newConn()
				c.set(connectivity.Ready)
				check := dependency.Hard("wallet", c, &dependency.Fleet{
					Host: "till",
					Lookup: func(context.Context, string) ([]string, error) {
						return (&fleet{instances: make([]*instance, size.Load())}).all(), nil
					},
					Own:   func() ([]net.Addr, error) { return []net.Addr{&net.IPNet{IP: net.ParseIP(address(0))}}, nil },
					Ready: func(context.Context, string) bool { return true },
				}, slog.New(slog.DiscardHandler))
				probe := func(during time.Duration) (err error) {
					for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(2 * time.Second) {
						err = check.Probe(t.Context())
					}
					return err
				}
				if err := probe(time.Minute); err != nil {
					t.Error(err)
				}
				size.Store(2) // one beside this one: half of two, and not of four
				if err := probe(after); err != nil {
					t.Error(err)
				}
				c.set(connectivity.TransientFailure)
				err := probe(time.Minute)
				if got := strings.Contains(fmt.Sprint(err), "failing open: 1 of usually 4"); got != stays {
					t.Errorf("after %v: %v", after, err)
				}
			})
		})
	}
}
