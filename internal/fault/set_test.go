package fault_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/fault"
)

// target notes the rules in force, and refuses those about a method that is not there.
type target struct {
	mu    sync.Mutex
	rules []*fault.Rule
}

func (g *target) SetFaults(rules []*fault.Rule) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules = rules
}

func (g *target) CheckFault(r *fault.Rule) error {
	if r.Method() == "no/where" {
		return errors.New("method: not there")
	}
	return nil
}

func (g *target) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	var got []string
	for _, r := range g.rules {
		got = append(got, r.String())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("in force at %s: %q, want %q", time.Now().UTC().Format(time.TimeOnly), got, want)
	}
}

func newSet() (*fault.Set, *target, *bytes.Buffer) {
	g, log := &target{}, &bytes.Buffer{}
	return fault.NewSet(g, slog.New(slog.NewTextHandler(log, nil))), g, log
}

func add(t *testing.T, s *fault.Set, text string) {
	t.Helper()
	if err := s.Add(t.Context(), parse(t, text), "anna"); err != nil {
		t.Fatal(err)
	}
}

func TestRulesEndByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g, log := newSet()
		defer s.Close()
		add(t, s, `[{"method":"a/b","reset":true,"for":"10m"},{"method":"a/c","reset":true}]`)
		add(t, s, `{"method":"a/d","reset":true,"for":"1m"}`)
		g.expect(t, "a/b: reset", "a/c: reset", "a/d: reset")
		if all := s.Active(); len(all) != 3 || all[0].ID != 1 || !all[0].Until.Equal(time.Now().Add(10*time.Minute)) || all[1].Until != nil || all[2].By != "anna" {
			t.Errorf("active: %+v", all)
		}
		time.Sleep(time.Minute)
		g.expect(t, "a/b: reset", "a/c: reset")
		time.Sleep(9 * time.Minute)
		g.expect(t, "a/c: reset")
		time.Sleep(24 * time.Hour)
		g.expect(t, "a/c: reset")
		if got := log.String(); strings.Count(got, "level=WARN msg=\"fault set\"") != 3 || strings.Count(got, `msg="fault ended" id=1 fault="a/b: reset" caller=timer`) != 1 {
			t.Errorf("logged:\n%s", got)
		}
	})
}

func TestRulesAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g, log := newSet()
		add(t, s, `[{"method":"a/b","reset":true,"for":"10m"},{"method":"a/c","reset":true},{"method":"a/d","reset":true}]`)
		if !s.Remove(t.Context(), 1, "bert") || s.Remove(t.Context(), 1, "bert") || s.Remove(t.Context(), 99, "bert") {
			t.Error("a rule can be removed once")
		}
		g.expect(t, "a/c: reset", "a/d: reset")
		if !s.Remove(t.Context(), 0, "bert") || s.Remove(t.Context(), 0, "bert") {
			t.Error("all can be removed where there are some")
		}
		g.expect(t)
		if strings.Count(log.String(), "caller=bert") != 3 {
			t.Errorf("logged:\n%s", log)
		}
		time.Sleep(time.Hour) // a timer left behind would be found by synctest
	})
}

func TestAllRulesOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g, _ := newSet()
		err := s.Add(t.Context(), parse(t, `[{"method":"a/b","reset":true},{"method":"no/where","reset":true}]`), "anna")
		if err == nil || err.Error() != "rule 2: method: not there" {
			t.Errorf("got %v", err)
		}
		g.expect(t)
		for range fault.MostRules {
			add(t, s, `{"method":"a/b","reset":true,"for":"1s"}`)
		}
		if err := s.Add(t.Context(), parse(t, `{"method":"a/b","reset":true}`), "anna"); err == nil || !strings.Contains(err.Error(), "33 rules would be in force, and at most 32") {
			t.Errorf("one more: %v", err)
		}
		s.Close()
		s.Close()
		g.expect(t)
		if err := s.Add(t.Context(), parse(t, `{"method":"a/b","reset":true}`), "anna"); !errors.Is(err, fault.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}
