package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Target injects the faults of the rules.
type Target interface {
	// CheckFault rejects a rule that would never apply to a call.
	CheckFault(*Rule) error
	// SetFaults replaces the rules in force. The target owns the slice.
	SetFaults([]*Rule)
}

// Set is the rules in force. It may be used concurrently.
type Set struct {
	target Target
	logger *slog.Logger

	mu     sync.Mutex
	active []Active
	timers map[int]*time.Timer // of the rules that end, by ID
	last   int                 // ID given
	closed bool
}

// Active is a rule in force.
type Active struct {
	ID    int        `json:"id"`
	Rule  *Rule      `json:"rule"`
	Text  string     `json:"text"` // Rule for a person
	By    string     `json:"by"`   // who has set it
	Until *time.Time `json:"until,omitempty"`
}

// NewSet returns a set without rules. Every rule is logged when it is set and when it ends.
func NewSet(target Target, logger *slog.Logger) *Set {
	return &Set{target: target, logger: logger, timers: map[int]*time.Timer{}}
}

// ErrClosed is what Add returns after Close.
var ErrClosed = errors.New("the service is stopping: it takes no more faults")

// Add adds rules to those in force: all of them or, with an error, none. by is the author, for
// the log.
func (s *Set) Add(ctx context.Context, rules []*Rule, by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if n := len(s.active) + len(rules); n > MostRules {
		return fmt.Errorf("%d rules would be in force, and at most %d may: remove some", n, MostRules)
	}
	for i, r := range rules {
		if err := s.target.CheckFault(r); err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	for _, r := range rules {
		s.add(ctx, r, by)
	}
	s.apply()
	return nil
}

func (s *Set) add(ctx context.Context, r *Rule, by string) {
	s.last++
	a := Active{ID: s.last, Rule: r, Text: r.String(), By: by}
	if r.For > 0 {
		until := time.Now().Add(r.For)
		a.Until = &until
		s.timers[a.ID] = time.AfterFunc(r.For, func() { s.Remove(context.Background(), a.ID, "timer") })
	}
	s.active = append(s.active, a)
	s.logger.WarnContext(ctx, "fault set", "id", a.ID, "fault", a.Text, "for", r.For.String(), "caller", by)
}

// Remove ends a rule and reports whether it was in force. ID 0 is every rule.
func (s *Set) Remove(ctx context.Context, id int, by string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.active)
	s.active = slices.DeleteFunc(s.active, func(a Active) bool {
		if id != 0 && a.ID != id {
			return false
		}
		s.stopTimer(a.ID)
		s.logger.WarnContext(ctx, "fault ended", "id", a.ID, "fault", a.Text, "caller", by)
		return true
	})
	if len(s.active) == before {
		return false
	}
	s.apply()
	return true
}

func (s *Set) stopTimer(id int) {
	if t := s.timers[id]; t != nil {
		t.Stop()
		delete(s.timers, id)
	}
}

func (s *Set) apply() {
	rules := make([]*Rule, len(s.active))
	for i, a := range s.active {
		rules[i] = a.Rule
	}
	s.target.SetFaults(rules)
}

// Active returns the rules in force, in the order in which they were set.
func (s *Set) Active() []Active {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.active)
}

// Close ends every rule and rejects new ones. Further calls do nothing.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Remove(context.Background(), 0, "stop")
}
