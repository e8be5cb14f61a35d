package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/contract"
)

// wire is the JSON form of a rule.
type wire struct {
	Method  string   `json:"method"`
	Peer    string   `json:"peer,omitempty"`
	Ratio   *float64 `json:"ratio,omitempty"`
	Delay   string   `json:"delay,omitempty"`
	Abort   string   `json:"abort,omitempty"`
	Message string   `json:"message,omitempty"`
	Reset   bool     `json:"reset,omitempty"`
	After   *int     `json:"after,omitempty"`
	For     string   `json:"for,omitempty"`
}

// The limits of a rule.
const (
	MostRules   = 32 // in force at once
	MaxFor      = time.Hour
	minFor      = time.Second
	maxDelay    = time.Minute
	mostAfter   = 1_000_000
	maxMessage  = 1024
	maxMethod   = 512
	someMessage = "fault injected on purpose"
)

// Parse parses a rule, or a list of rules, as JSON. It returns none for an empty text. mustEnd
// rejects rules without "for". The error has every wrong rule with its fields.
func Parse(text string, mustEnd bool) ([]*Rule, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	written, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf(`cannot read the faults, expected {"method": "package.Service/Method", "abort": "UNAVAILABLE"} or a list of such: %w`, err)
	}
	if len(written) > MostRules {
		return nil, fmt.Errorf("there are %d rules; at most %d are allowed", len(written), MostRules)
	}
	var rules []*Rule
	var errs []error
	for i, w := range written {
		r, err := w.rule(mustEnd)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i+1, err))
		}
		rules = append(rules, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rules, nil
}

func decode(text string) (written []wire, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if strings.HasPrefix(text, "[") {
		err = d.Decode(&written)
	} else {
		written = make([]wire, 1)
		err = d.Decode(&written[0])
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the JSON")
	}
	return written, nil
}

// rule checks every field, and reports the first mistake.
func (w wire) rule(mustEnd bool) (*Rule, error) {
	r := &Rule{Ratio: 1, Reset: w.Reset, Message: w.Message, method: w.Method, anyone: w.Peer == "", wire: w}
	for _, read := range []func(*Rule) error{w.checkMethod, w.readPeer, w.readRatio, w.readDelay, w.readAbort, w.readAfter} {
		if err := read(r); err != nil {
			return nil, err
		}
	}
	if r.Delay == 0 && !r.Ends() {
		return nil, errors.New("it does nothing: give delay, abort or reset")
	}
	return r, w.readFor(r, mustEnd)
}

func (w wire) checkMethod(*Rule) error {
	if w.Method == "*" {
		return nil
	}
	service, method, ok := strings.Cut(w.Method, "/")
	if !ok || service == "" || method == "" || len(w.Method) > maxMethod || strings.ContainsFunc(service+method, notInName) {
		return fmt.Errorf("method: %.100q: expected package.Service/Method, in which * stands for any part of a name, or * for every method", w.Method)
	}
	return nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '*'
}

func (w wire) readPeer(r *Rule) (err error) {
	if w.Peer == "" {
		return nil
	}
	if r.peer, err = contract.ParsePattern(w.Peer); err != nil {
		return fmt.Errorf("peer: %.100q: %w", w.Peer, err)
	}
	return nil
}

func (w wire) readRatio(r *Rule) error {
	if w.Ratio == nil {
		return nil
	}
	r.Ratio = *w.Ratio
	if !(r.Ratio > 0 && r.Ratio <= 1) {
		return fmt.Errorf("ratio: %v: expected more than 0 and at most 1, which is every call", r.Ratio)
	}
	return nil
}

func (w wire) readDelay(r *Rule) (err error) {
	if w.Delay == "" {
		return nil
	}
	if r.Delay, err = time.ParseDuration(w.Delay); err != nil || r.Delay <= 0 || r.Delay > maxDelay {
		return fmt.Errorf("delay: %.100q: expected a duration such as 200ms, more than 0 and at most %v", w.Delay, maxDelay)
	}
	return nil
}

func (w wire) readAbort(r *Rule) error {
	if len(w.Message) > maxMessage || !utf8.ValidString(w.Message) {
		return fmt.Errorf("message: has %d bytes: expected text of at most %d", len(w.Message), maxMessage)
	}
	switch {
	case w.Abort == "" && w.Message != "":
		return errors.New("message: it needs an abort")
	case w.Abort == "":
		return nil
	case w.Reset:
		return errors.New("reset: a call cannot end by both abort and reset: remove one of them")
	}
	if err := r.Code.UnmarshalJSON([]byte(strconv.Quote(w.Abort))); err != nil || r.Code == codes.OK {
		return fmt.Errorf("abort: %.100q: expected the name of a gRPC code other than OK, such as UNAVAILABLE", w.Abort)
	}
	if r.Message == "" {
		r.Message = someMessage
	}
	return nil
}

func (w wire) readAfter(r *Rule) error {
	switch {
	case w.After == nil:
		return nil
	case *w.After < 1 || *w.After > mostAfter:
		return fmt.Errorf("after: %d: expected a number of messages from 1 to %d, or nothing to end calls before their handlers", *w.After, mostAfter)
	case !r.Ends():
		return errors.New("after: nothing happens then: give abort or reset")
	}
	r.After = *w.After
	return nil
}

func (w wire) readFor(r *Rule, mustEnd bool) (err error) {
	if w.For == "" && !mustEnd {
		return nil
	}
	if r.For, err = time.ParseDuration(w.For); err != nil || r.For < minFor || r.For > MaxFor {
		return fmt.Errorf("for: %.100q: expected how long the rule stands, such as 10m, from %v to %v", w.For, minFor, MaxFor)
	}
	return nil
}
