package middleware

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/problem"
)

// TakeTimeout reads from a REST request for how long its caller waits, as `Request-Timeout` (seconds, with a fraction if need
// be) and `Grpc-Timeout` (as gRPC has it) say: the shorter of them. The call of the request then has no later deadline
// than that, counted from when the request arrived; the server's own limits stay. It takes Grpc-Timeout away, which the
// gateway would understand in its own way. Where a header is malformed it answers with 400 and returns false.
func TakeTimeout(w http.ResponseWriter, r *http.Request) bool {
	seconds, units := r.Header[RequestTimeoutHeader], r.Header["Grpc-Timeout"]
	if seconds == nil && units == nil {
		return true
	}
	delete(r.Header, "Grpc-Timeout")
	h := httpCallFrom(r.Context())
	if h == nil {
		return true
	}
	waits, err := shortest(seconds, units)
	if err != nil {
		h.answerUnread()
		problem.New(http.StatusBadRequest, codeName(codes.InvalidArgument), err.Error(), h.trace.context()).Write(w)
		return false
	}
	if h.waits = waits; waits == 0 {
		h.waits = -1
	}
	return true
}

// left returns how long the caller still waits: zero if that is not known, negative if it does no longer.
func (h *httpCall) left() time.Duration {
	if h.waits == 0 {
		return 0
	}
	if left := h.waits - time.Since(h.start); left > 0 {
		return left
	}
	return -1
}

// shortest returns the shortest of the timeouts in both forms. There is one at least.
func shortest(seconds, units []string) (time.Duration, error) {
	waits := longestTimeout
	for _, value := range seconds {
		d, ok := parseSeconds(value)
		if !ok {
			return 0, errors.New(`Request-Timeout must be a number of seconds, such as 2 or 0.25`)
		}
		waits = min(waits, d)
	}
	for _, value := range units {
		d, ok := parseGRPCTimeout(value)
		if !ok {
			return 0, errors.New(`Grpc-Timeout must be at most eight digits and a unit of H, M, S, m, u or n, such as 250m`)
		}
		waits = min(waits, d)
	}
	return waits, nil
}

// longestTimeout is what longer ones count as: the server has limits of its own long before.
const longestTimeout = 1000 * time.Hour

// parseSeconds reads digits, with a fraction or without: of nine digits at most, as there is nothing below a nanosecond.
func parseSeconds(s string) (time.Duration, bool) {
	whole, fraction, dotted := strings.Cut(s, ".")
	if dotted && (fraction == "" || len(fraction) > 9) {
		return 0, false
	}
	seconds, ok := parseDigits(whole)
	if !ok {
		return 0, false
	}
	d := min(seconds, int64(longestTimeout/time.Second)) * int64(time.Second)
	if dotted {
		nanos, ok := parseDigits(fraction + "000000000"[len(fraction):])
		if !ok {
			return 0, false
		}
		d += nanos
	}
	return time.Duration(d), true
}

// parseGRPCTimeout reads the Timeout of gRPC over HTTP/2.
func parseGRPCTimeout(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	unit := grpcUnit(s[len(s)-1])
	value, ok := parseDigits(s[:len(s)-1])
	if !ok || unit == 0 {
		return 0, false
	}
	if value > int64(longestTimeout/unit) {
		return longestTimeout, true
	}
	return time.Duration(value) * unit, true
}

// grpcUnit returns the length of a unit, zero if there is none of that letter.
func grpcUnit(letter byte) time.Duration {
	switch letter {
	case 'H':
		return time.Hour
	case 'M':
		return time.Minute
	case 'S':
		return time.Second
	case 'm':
		return time.Millisecond
	case 'u':
		return time.Microsecond
	case 'n':
		return time.Nanosecond
	}
	return 0
}

// parseDigits reads one to twelve digits and nothing else.
func parseDigits(s string) (value int64, ok bool) {
	if s == "" || len(s) > 12 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		value = 10*value + int64(c-'0')
	}
	return value, true
}
