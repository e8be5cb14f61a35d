// Package allowance limits log lines that clients can cause.
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

// Lines limits the log lines of each kind, so that many lines of one kind do not hide another.
// Its zero value is ready for use, and its methods may be called concurrently. It never forgets a
// kind, so kinds must be few and must not come from clients.
type Lines struct {
	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	start      time.Time
	lines      int
	suppressed int
}

// Allow reports whether a line may be logged, and how many lines of its kind were suppressed
// since the last one.
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
