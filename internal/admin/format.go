package admin

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// accepts reports whether the caller names a media type among what it takes.
// Browsers name text/html; curl and Go's client take anything and name nothing.
func accepts(r *http.Request, mediaType string) bool {
	for _, accept := range r.Header.Values("Accept") {
		if strings.Contains(strings.ToLower(accept), mediaType) {
			return true
		}
	}
	return false
}

// span writes a duration with at most two units, as a person would say it.
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return tenths(d, time.Millisecond) + " ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return tenths(d, time.Second) + " s"
	case d < 10*time.Minute:
		return units(d, time.Minute, "min", time.Second, "s")
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 24*time.Hour:
		return units(d, time.Hour, "h", time.Minute, "min")
	case d < 60*24*time.Hour:
		return units(d, 24*time.Hour, "d", time.Hour, "h")
	case d < 2*365*24*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	}
	return fmt.Sprintf("%.1f years", d.Hours()/24/365.25)
}

func tenths(d, unit time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(d/(unit/10))/10), ".0")
}

func units(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// relative says when something is, seen from now.
func relative(now, t time.Time) string {
	switch d := t.Sub(now); {
	case t.IsZero():
		return "never"
	case d > 0:
		return "in " + span(d)
	case d > -time.Second:
		return "just now"
	default:
		return span(d.Truncate(time.Second)) + " ago"
	}
}

// lasted is how long ago something was, without saying so.
func lasted(now, t time.Time) string { return span(now.Sub(t).Truncate(time.Second)) }

// absolute is a moment in full, in UTC, so that it compares with log lines.
func absolute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// count writes a number with its thousands apart.
func count(n uint64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits
}

// tone gives a state its colour on the page; the word itself stands there too.
// A word it does not know has no colour.
func tone(state string) string {
	switch strings.ToLower(state) {
	case "up", "serving", "ready", "running", "valid":
		return "good"
	case "starting", "draining", "stopping", "restarting", "expiring", "not yet valid", "degraded":
		return "warn"
	case "down", "failed", "expired", "not ready":
		return "bad"
	}
	return "flat"
}
