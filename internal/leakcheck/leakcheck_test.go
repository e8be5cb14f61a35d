package leakcheck_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/leakcheck"
)

// fakeTB is a test whose end and whose failures the real test decides and sees.
type fakeTB struct {
	testing.TB
	failed   bool
	cleanups []func()
	errors   []string
}

func (f *fakeTB) Helper()          {}
func (f *fakeTB) Failed() bool     { return f.failed }
func (f *fakeTB) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func (f *fakeTB) end() {
	for _, c := range f.cleanups {
		c()
	}
}

func leakHere(until <-chan struct{}) { <-until }

func TestALeakFailsTheTestAndIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb, until := new(fakeTB), make(chan struct{})
		leakcheck.Check(tb)
		go leakHere(until)
		tb.end()
		close(until)
		if len(tb.errors) != 1 || !strings.Contains(tb.errors[0], "leakHere") || !strings.Contains(tb.errors[0], "1 goroutines") {
			t.Errorf("got errors %q, want one that names leakHere", tb.errors)
		}
	})
}

func TestAGoroutineThatEndsLateIsNoLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tb := new(fakeTB)
		leakcheck.Check(tb)
		go time.Sleep(4 * time.Second)
		tb.end()
		if len(tb.errors) != 0 {
			t.Errorf("got errors %q, want none", tb.errors)
		}
	})
}

func TestWhatRanBeforeIsNoLeak(t *testing.T) {
	until := make(chan struct{})
	defer close(until)
	go leakHere(until)
	if found := leakcheck.Find(leakcheck.Take()); len(found) != 0 {
		t.Errorf("found %q, want nothing", found)
	}
}

func TestAFailedTestIsLeftAlone(t *testing.T) {
	tb, until := &fakeTB{failed: true}, make(chan struct{})
	defer close(until)
	leakcheck.Check(tb)
	go leakHere(until)
	tb.end()
	if len(tb.errors) != 0 {
		t.Errorf("got errors %q, want none", tb.errors)
	}
}

func TestWhatBelongsToTheProcessIsNoLeak(t *testing.T) {
	leakcheck.Check(t)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)

	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

func TestManyStacksAreReadWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, until := leakcheck.Take(), make(chan struct{})
		const count = 500
		for range count {
			go leakHere(until)
		}
		if found := leakcheck.Find(before); len(found) != count {
			t.Errorf("found %d goroutines, want %d", len(found), count)
		}
		close(until)
	})
}
