package acceptance_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// entry is one line of a log.
type entry map[string]any

func (e entry) text(key string) string {
	s, _ := e[key].(string)
	return s
}

func (e entry) number(key string) float64 {
	n, _ := e[key].(float64)
	return n
}

func (e entry) time(t testing.TB) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, e.text("time"))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// match chooses entries.
type match func(entry) bool

// step matches a step of the life of a service.
func step(name string) match {
	return func(e entry) bool { return e.text("msg") == "lifecycle" && e.text("step") == name }
}

// line matches a message with fields, given as key, value and so on.
func line(msg string, fields ...string) match {
	return func(e entry) bool {
		for i := 0; i+1 < len(fields); i += 2 {
			if e.text(fields[i]) != fields[i+1] {
				return false
			}
		}
		return e.text("msg") == msg
	}
}

// logbook reads the standard output of a process for as long as its reader is not held.
type logbook struct {
	ended chan struct{} // closed at the end of the output

	gate   sync.Mutex // locked while the reader is held
	mu     sync.Mutex
	isHeld bool
	lines  []entry
	raw    []string
	bad    []string // what is not JSON
}

func newLogbook(output *os.File) *logbook {
	l := &logbook{ended: make(chan struct{})}
	go l.read(output)
	return l
}

func (l *logbook) read(output *os.File) {
	defer close(l.ended)
	defer output.Close()
	scanner := bufio.NewScanner(gated{output, &l.gate})
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var e entry
		err := json.Unmarshal(scanner.Bytes(), &e)
		l.mu.Lock()
		if l.raw = append(l.raw, scanner.Text()); err != nil {
			l.bad = append(l.bad, scanner.Text())
		} else {
			l.lines = append(l.lines, e)
		}
		l.mu.Unlock()
	}
}

type gated struct {
	io.Reader
	gate *sync.Mutex
}

func (g gated) Read(p []byte) (int, error) {
	g.gate.Lock()
	g.gate.Unlock() //nolint:staticcheck // only to wait
	return g.Reader.Read(p)
}

// hold stops the reader, at the latest after one more buffer.
func (l *logbook) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isHeld = true
	l.gate.Lock()
}

// resume lets a reader that was held read on.
func (l *logbook) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isHeld {
		l.isHeld = false
		l.gate.Unlock()
	}
}

func (l *logbook) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isHeld
}

// all returns the entries that match, in their order.
func (l *logbook) all(m match) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []entry
	for _, e := range l.lines {
		if m(e) {
			found = append(found, e)
		}
	}
	return found
}

func (l *logbook) has(m match) bool { return len(l.all(m)) > 0 }

// await returns the first entry that matches.
func (l *logbook) await(t testing.TB, m match) entry {
	t.Helper()
	await(t, "a line in the log", func() bool { return l.has(m) })
	return l.all(m)[0]
}

// last returns the last entry.
func (l *logbook) last() entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		return nil
	}
	return l.lines[len(l.lines)-1]
}

// broken returns lines that are not JSON.
func (l *logbook) broken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.bad...)
}

func (l *logbook) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.raw[max(0, len(l.raw)-n):], "\n")
}
