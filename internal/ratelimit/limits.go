// Package ratelimit bounds the rate of each caller's calls. An operator sets the limits as a
// text. Buckets in a memory of fixed size count the calls.
package ratelimit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betmakers/paddock/internal/contract"
)

// Limit is the limit of each caller: on average Rate calls in each Per, and Burst at once after a
// pause.
type Limit struct {
	Rate  int
	Per   time.Duration // a second, a minute or an hour
	Burst int

	text      string // as the operator wrote it
	policy    string // the header RateLimit-Policy
	callers   contract.Pattern
	everybody bool
}

// String returns the limit as the operator wrote it.
func (l *Limit) String() string { return l.text }

// What a limit may say. A burst of a million, filled once an hour each, still fits the arithmetic.
const (
	mostRate   = 1_000_000
	mostBurst  = 1_000_000
	mostLimits = 100
)

var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// Parse parses limits separated by commas: "100/s", or "web=500/s burst 1000, user:*=20/m,
// *=100/s". The first limit that matches the caller applies. Patterns have the grammar of a
// contract's callers, and * matches every caller, as does a limit without a pattern. By default,
// burst is the number before the slash. It returns none for an empty text.
func Parse(text string) ([]Limit, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var limits []Limit
	var errs []error
	for part := range strings.SplitSeq(text, ",") {
		l, err := parseLimit(strings.TrimSpace(part))
		if err != nil {
			errs = append(errs, fmt.Errorf("limit %d, %q: %w", len(limits)+1, strings.TrimSpace(part), err))
		}
		limits = append(limits, l)
	}
	if len(limits) > mostLimits {
		errs = append(errs, fmt.Errorf("there are %d limits, and at most %d are read for each call", len(limits), mostLimits))
	}
	last := len(limits) - 1
	if i := slices.IndexFunc(limits, func(l Limit) bool { return l.everybody }); i >= 0 && i < last {
		errs = append(errs, fmt.Errorf("limit %d is everybody's, so no caller comes to those behind it: put it last", i+1))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return limits, nil
}

func parseLimit(text string) (Limit, error) {
	l := Limit{text: text, everybody: true}
	rate := text
	if i := strings.LastIndexByte(text, '='); i >= 0 { // subjects may have = in them
		callers := strings.TrimSpace(text[:i])
		rate = text[i+1:]
		if callers != "*" {
			p, err := contract.ParsePattern(callers)
			if err != nil {
				return Limit{}, err
			}
			l.callers, l.everybody = p, false
		}
	}
	if err := l.parseRate(strings.Fields(rate)); err != nil {
		return Limit{}, err
	}
	l.policy = fmt.Sprintf(`"caller";q=%d;w=%d`, l.Burst, l.window())
	return l, nil
}

var errForm = errors.New("expected a number of calls and s, m or h, such as 100/s or web=600/m burst 50")

// parseRate reads "100/s" and, behind it, "burst 200".
func (l *Limit) parseRate(words []string) (err error) {
	if len(words) != 1 && (len(words) != 3 || words[1] != "burst") {
		return errForm
	}
	number, unit, _ := strings.Cut(words[0], "/")
	if l.Per = units[unit]; l.Per == 0 {
		return errForm
	}
	if l.Rate, err = parseNumber("rate", number, mostRate); err != nil {
		return err
	}
	l.Burst = l.Rate
	if len(words) == 3 {
		l.Burst, err = parseNumber("burst", words[2], mostBurst)
	}
	return err
}

func parseNumber(what, text string, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most || text[0] == '+' {
		return 0, fmt.Errorf("the %s is %q: expected a number from 1 to %d", what, text, most)
	}
	return n, nil
}

// each is the time in which one more call becomes free.
func (l *Limit) each() time.Duration { return l.Per / time.Duration(l.Rate) }

// window is the time in which an empty bucket fills, in whole seconds, rounded up.
func (l *Limit) window() int64 { return seconds(l.each() * time.Duration(l.Burst)) }

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// names reports whether the limit holds for a caller.
func (l *Limit) names(c contract.Caller, domain string) bool {
	return l.everybody || l.callers.Match(c, domain)
}
