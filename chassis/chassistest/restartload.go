package chassistest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// load is calls at a steady rate, whatever becomes of them.
type load struct {
	t       testing.TB
	clients []client
	rate    int // calls a second of each client
	stop    chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	ended   chan struct{}  // closed and replaced when a call ends
	calls   map[string]int // that have ended, by kind
	skipped map[string]int // calls that a busy machine had no room for
	longest map[string]time.Duration
	stall   time.Duration // the longest that a call was made after it was due
	failed  []lost
	signals []signal
}

// lost is a call that failed.
type lost struct {
	kind      string
	made, end time.Time
	err       error
}

// signal is a replica's being asked to stop.
type signal struct {
	replica int
	at      time.Time
}

func newLoad(t testing.TB, clients []client, rate int) *load {
	t.Helper()
	return &load{
		t: t, clients: clients, rate: max(1, rate/len(clients)), stop: make(chan struct{}), ended: make(chan struct{}),
		calls: map[string]int{}, skipped: map[string]int{}, longest: map[string]time.Duration{},
	}
}

// start makes calls until end.
func (l *load) start() {
	for _, c := range l.clients {
		l.running.Go(func() { l.drive(c) })
	}
}

// drive makes the calls of one client when they are due, also those that the machine was too busy to make in time.
func (l *load) drive(c client) {
	every := time.Second / time.Duration(l.rate)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	room := make(chan struct{}, l.rate)
	begun := time.Now()
	for made := 0; ; {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
		}
		since := time.Since(begun)
		l.standstill(since - time.Duration(made+1)*every)
		for due := int(since / every); made < due; made++ {
			l.try(c, room)
		}
	}
}

// standstill notes by how much the load is late.
func (l *load) standstill(late time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stall = max(l.stall, late)
}

// try starts a call if there is room for it.
func (l *load) try(c client, room chan struct{}) {
	select {
	case room <- struct{}{}:
		l.running.Go(func() {
			defer func() { <-room }()
			l.make(c)
		})
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.skipped[c.kind]++
	}
}

// make makes one call. It is not bound to the test's context, which may end before the call.
func (l *load) make(c client) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	made := time.Now()
	err := c.call(ctx)
	end := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[c.kind]++
	l.longest[c.kind] = max(l.longest[c.kind], end.Sub(made))
	if err != nil {
		l.failed = append(l.failed, lost{c.kind, made, end, err})
	}
	close(l.ended)
	l.ended = make(chan struct{})
}

// enough is how many calls of each kind show that it goes on.
const enough = 20

// progress waits until enough more calls of each kind have ended.
func (l *load) progress() {
	l.t.Helper()
	before := l.counts()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		l.mu.Lock()
		ended, all := l.ended, true
		for _, c := range l.clients {
			all = all && l.calls[c.kind] >= before[c.kind]+enough
		}
		l.mu.Unlock()
		if all {
			return
		}
		select {
		case <-ended:
		case <-timeout.C:
			l.t.Fatalf("chassistest: not %d calls of each kind within %s", enough, patience)
		}
	}
}

func (l *load) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{}
	for kind, n := range l.calls {
		counts[kind] = n
	}
	return counts
}

// signalled notes that a replica is asked to stop.
func (l *load) signalled(replica int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signals = append(l.signals, signal{replica, time.Now()})
}

// end makes no more calls, and waits for those under way.
func (l *load) end() {
	close(l.stop)
	l.running.Wait()
}

// mostNamed is how many lost calls are named of each kind. The others are counted.
const mostNamed = 25

// report fails the test for each kind that has lost calls. The load has ended.
func (l *load) report() {
	l.t.Helper()
	for _, c := range l.clients {
		var named []string
		of := 0
		for _, f := range l.failed {
			if f.kind != c.kind {
				continue
			}
			if of++; of <= mostNamed {
				named = append(named, l.describe(f))
			}
		}
		switch {
		case of > mostNamed:
			named = append(named, fmt.Sprintf("and %d more", of-mostNamed))
			fallthrough
		case of > 0:
			l.t.Errorf("chassistest: %s: %d of %d calls were lost:\n%s", c.kind, of, l.calls[c.kind], strings.Join(named, "\n"))
		default:
			l.t.Logf("%s: %d calls, none lost, the longest took %s; %d not made, as the machine was too busy; it stood still for %s at most",
				c.kind, l.calls[c.kind], l.longest[c.kind].Round(time.Millisecond), l.skipped[c.kind], l.stall.Round(time.Millisecond))
		}
	}
}

// describe says what became of a call, and when, by the last signal before its end.
func (l *load) describe(f lost) string {
	took := f.end.Sub(f.made).Round(time.Millisecond)
	for _, s := range slices.Backward(l.signals) {
		if !f.end.Before(s.at) {
			return fmt.Sprintf("made %+.3fs from the signal to replica %d, failed after %s: %v", f.made.Sub(s.at).Seconds(), s.replica+1, took, f.err)
		}
	}
	return fmt.Sprintf("made before any signal, failed after %s: %v", took, f.err)
}
