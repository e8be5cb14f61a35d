package leakcheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"runtime/pprof"
	"strings"
	"time"
)

// Group is a set of goroutines that belong together: the one that ran [Group.Do] and all that it
// started, and those started by them. Unlike a [Snapshot] it can be told from what other tests run
// at the same time. Make one with [NewGroup]; its methods may be called concurrently.
//
// Membership is a profiler label. A goroutine that sets labels of its own leaves the group with all
// that it starts.
type Group struct{ mark string }

const label = "leakcheck"

// NewGroup returns an empty group.
func NewGroup() *Group { return &Group{rand.Text()} }

// Do runs f in the calling goroutine, which is in the group until f returns.
func (g *Group) Do(f func()) {
	pprof.Do(context.Background(), pprof.Labels(label, g.mark), func(context.Context) { f() })
}

// Left returns the stacks of the goroutines of the group that still run, those with equal stacks as
// one, and nil where there are none. It gives them up to five seconds to end.
func (g *Group) Left() []string {
	deadline := time.Now().Add(bound)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := g.running()
		if len(left) == 0 || !time.Now().Before(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

func (g *Group) running() []string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{err.Error()} // a buffer takes everything
	}
	var running []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, `"`+label+`":"`+g.mark+`"`) && !strings.Contains(stack, "runtime.ReadTrace") {
			running = append(running, strings.TrimSpace(stack))
		}
	}
	return running
}
