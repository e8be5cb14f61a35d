package chassistest

import (
	"context"
	"sync"
	"testing"
	"time"
)

// load makes calls at a steady rate, whether they fail or not.
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
	failed  []lost
	signals []signal

	stalls     stalls
	begun, end time.Time // of the load
}

// lost is a failed call.
type lost struct {
	kind      string
	made, end time.Time
	err       error
}

// signal is the request to a replica to stop.
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

// start makes calls and watches for stalls until finish.
func (l *load) start() {
	l.begun = time.Now()
	l.running.Go(func() { l.stalls.watch(l.stop) })
	for _, c := range l.clients {
		l.running.Go(func() { l.drive(c) })
	}
}

// drive makes the calls of one client when they are due, and catches up if the machine was too
// busy.
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
		for due := int(time.Since(begun) / every); made < due; made++ {
			l.try(c, room)
		}
	}
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

// make makes one call. Its context is independent of the test's, which may end before the call.
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

// enough is the number of calls of each kind that show progress.
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

// signalled records that a replica was asked to stop.
func (l *load) signalled(replica int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signals = append(l.signals, signal{replica, time.Now()})
}

// finish stops making calls and waits for the running ones.
func (l *load) finish() {
	close(l.stop)
	l.running.Wait()
	l.end = time.Now()
}
