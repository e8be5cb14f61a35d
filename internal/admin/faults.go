package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/betmakers/paddock/internal/fault"
)

const maxFaultBytes = 16 << 10

// faultSwitch answers /debug/faults.
type faultSwitch struct {
	set *fault.Set // nil: there are none
}

func (s *faultSwitch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.set == nil:
		s.missing(w)
	case r.Method == http.MethodDelete:
		s.remove(w, r)
	default:
		s.show(w)
	}
}

func (s *faultSwitch) missing(w http.ResponseWriter) {
	http.Error(w, "no faults can be injected into this service", http.StatusNotFound)
}

// add puts the rules of the body in force. Each must say when it ends, so that nobody has to
// remember it.
func (s *faultSwitch) add(w http.ResponseWriter, r *http.Request) {
	if s.set == nil {
		s.missing(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFaultBytes))
	if err != nil {
		http.Error(w, fmt.Sprintf("cannot read the body (at most %d bytes): %v", maxFaultBytes, err), http.StatusBadRequest)
		return
	}
	rules, err := fault.Parse(string(body), true)
	if err == nil && len(rules) == 0 {
		err = errors.New(`the body has no rule: expected JSON such as {"method": "package.Service/Method", "abort": "UNAVAILABLE", "for": "10m"}`)
	}
	if err == nil {
		err = s.set.Add(r.Context(), rules, callerOf(r))
	}
	if err == nil {
		noteChange(r.Context(), "faults set: "+textOf(rules))
	}
	switch {
	case errors.Is(err, fault.ErrClosed):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		s.show(w)
	}
}

func textOf(rules []*fault.Rule) string {
	texts := make([]string, len(rules))
	for i, rule := range rules {
		texts[i] = rule.String()
	}
	return strings.Join(texts, "; ")
}

// remove ends every rule, or the one that ?id= names. Whoever sees /debug may do that: a fault that
// ends harms nobody.
func (s *faultSwitch) remove(w http.ResponseWriter, r *http.Request) {
	id := 0
	if text := r.URL.Query().Get("id"); text != "" {
		var err error
		if id, err = strconv.Atoi(text); err != nil || id < 1 {
			http.Error(w, fmt.Sprintf("id is %.40q: expected the number of a rule, as GET /debug/faults lists them, or nothing to end all", text), http.StatusBadRequest)
			return
		}
	}
	if !s.set.Remove(r.Context(), id, callerOf(r)) && id != 0 {
		http.Error(w, fmt.Sprintf("no rule %d is in force: GET /debug/faults lists them", id), http.StatusNotFound)
		return
	}
	noteChange(r.Context(), "faults ended: "+idName(id))
	s.show(w)
}

func idName(id int) string {
	if id == 0 {
		return "all"
	}
	return strconv.Itoa(id)
}

func (s *faultSwitch) show(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(map[string]any{"faults": append([]fault.Active{}, s.set.Active()...)}) // an error means that the reader has gone
}
