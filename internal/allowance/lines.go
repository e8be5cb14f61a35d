// Package allowance bounds the log lines that strangers can bring about.
package allowance

import (
	"sync"
	"time"
)

// How many lines of one kind there are within a window.
const (
	Window = 10 * time.Second
	Most   = 5
)

// Lines is an allowance of log lines for each of some kinds, so that many of one kind hide none of another. Its zero
// value is ready for use, and its methods may be called concurrently. It remembers each kind for ever: kinds are few,
// and not what a stranger says.
type Lines struct {
	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	start      time.Time
	lines      int
	suppressed int
}

// Allow reports whether a line may be logged, and how many of its kind were not since the last one that was.
func (l *Lines) Allow(kind string, now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil {
		l.windows = map[string]*window{}
	}
	w := l.windows[kind]
	if w == nil {
		w = &window{start: now}
		l.windows[kind] = w
	}
	if now.Sub(w.start) >= Window {
		w.start, w.lines = now, 0
	}
	if w.lines >= Most {
		w.suppressed++
		return 0, false
	}
	w.lines++
	suppressed, w.suppressed = w.suppressed, 0
	return suppressed, true
}
