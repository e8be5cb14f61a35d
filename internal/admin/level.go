package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// levelSwitch changes the log level for good or for a while. Of several
// temporary changes in a row only the last has a timer, and it takes the level
// back to what it was before the first.
type levelSwitch struct {
	level  *slog.LevelVar // nil: cannot be changed
	logger *slog.Logger

	mu     sync.Mutex
	timer  *time.Timer // nil: the level stands for good
	turn   int         // counts changes, so that a timer that was too late to stop does nothing
	back   slog.Level  // where the timer goes
	backAt time.Time
	closed bool
}

// levelState is the answer of /debug/log-level.
type levelState struct {
	Level  string     `json:"level"`
	BackTo string     `json:"back_to,omitempty"` // only while the level is temporary
	BackAt *time.Time `json:"back_at,omitempty"`
}

func (s *levelSwitch) state() levelState {
	if s.level == nil {
		return levelState{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := levelState{Level: levelName(s.level.Level())}
	if s.timer != nil {
		at := s.backAt
		st.BackTo, st.BackAt = levelName(s.back), &at
	}
	return st
}

// set makes a change and reports whether it could: not after close.
func (s *levelSwitch) set(ctx context.Context, c levelChange, caller string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	lasting := s.level.Level()
	if s.timer != nil {
		lasting = s.back
		s.stopTimer()
	}
	s.turn++
	if c.For > 0 {
		turn := s.turn
		s.back, s.backAt = lasting, time.Now().Add(c.For)
		s.timer = time.AfterFunc(c.For, func() { s.revert(turn) })
	}
	s.move(ctx, c.Level, slog.String("caller", caller), slog.Duration("for", c.For))
	return true
}

func (s *levelSwitch) revert(turn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn != s.turn || s.timer == nil {
		return
	}
	s.timer = nil
	s.move(context.Background(), s.back, slog.String("caller", "timer"))
}

// move changes the level and says so while the more talkative of the two
// levels is in force, at a level that passes there: a change that nobody reads
// of would look like a service gone quiet.
func (s *levelSwitch) move(ctx context.Context, to slog.Level, attrs ...slog.Attr) {
	from := s.level.Level()
	attrs = append([]slog.Attr{slog.String("old", levelName(from)), slog.String("new", levelName(to))}, attrs...)
	at := max(slog.LevelInfo, min(from, to))
	s.level.Set(min(from, to))
	s.logger.LogAttrs(ctx, at, "log level changed", attrs...)
	s.level.Set(to)
}

func (s *levelSwitch) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

func (s *levelSwitch) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.stopTimer()
}

// show answers GET /debug/log-level.
func (s *levelSwitch) show(w http.ResponseWriter, r *http.Request) {
	if s.level == nil {
		http.Error(w, "the log level of this service cannot be changed at run time", http.StatusNotFound)
		return
	}
	s.answer(w, r)
}

// change answers PUT and POST: a form of the page with a redirect back to it,
// anything else with the new state.
func (s *levelSwitch) change(w http.ResponseWriter, r *http.Request) {
	if s.level == nil {
		s.show(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevelBytes))
	if err != nil {
		http.Error(w, fmt.Sprintf("cannot read the body (at most %d bytes): %v", maxLevelBytes, err), http.StatusBadRequest)
		return
	}
	c, err := parseLevelChange(r.URL.RawQuery, string(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !s.set(r.Context(), c, callerOf(r)) {
		http.Error(w, "the service is stopping: its log level can no longer be changed", http.StatusServiceUnavailable)
		return
	}
	noteChange(r.Context(), c.String())
	if accepts(r, "text/html") {
		http.Redirect(w, r, "/debug/#log-level", http.StatusSeeOther)
		return
	}
	s.answer(w, r)
}

func (s *levelSwitch) answer(w http.ResponseWriter, r *http.Request) {
	st := s.state()
	if accepts(r, "application/json") {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(st) // an error means that the reader has gone
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if st.BackAt == nil {
		fmt.Fprintln(w, st.Level)
		return
	}
	fmt.Fprintf(w, "%s until %s, then %s\n", st.Level, st.BackAt.UTC().Format(time.RFC3339), st.BackTo)
}

// levelName is slog's name in small letters, as settings write it.
func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

// callerOf names who sent a request: its address, and the identity in its
// certificate if that was verified.
func callerOf(r *http.Request) string {
	if id := identity(r); id != "" {
		return r.RemoteAddr + " " + id
	}
	return r.RemoteAddr
}

// identity is the name in the caller's certificate, empty if none was verified.
func identity(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	leaf := r.TLS.PeerCertificates[0]
	if len(leaf.URIs) > 0 {
		return leaf.URIs[0].String()
	}
	return leaf.Subject.String()
}
