// Package timeouts reads and writes the timeouts in REST headers, and computes with durations of
// which zero means no limit.
package timeouts

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Header is the header by which a client sends its timeout: in seconds, with a fraction if
// needed. The name is that of draft-thomson-hybi-http-timeout, which has only whole seconds.
const Header = "Request-Timeout"

// Format writes d, which is more than zero, as seconds to the millisecond, at least one.
func Format(d time.Duration) string {
	return strconv.FormatFloat(max(d.Truncate(time.Millisecond), time.Millisecond).Seconds(), 'f', -1, 64)
}

// Shortest returns the shortest of the timeouts in both forms. There is one at least.
func Shortest(seconds, units []string) (time.Duration, error) {
	waits := longest
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

// longest is what longer ones count as: the server has limits of its own long before.
const longest = 1000 * time.Hour

// parseSeconds reads digits, with a fraction or without: of nine digits at most, as there is
// nothing below a nanosecond.
func parseSeconds(s string) (time.Duration, bool) {
	whole, fraction, dotted := strings.Cut(s, ".")
	if dotted && (fraction == "" || len(fraction) > 9) {
		return 0, false
	}
	seconds, ok := parseDigits(whole)
	if !ok {
		return 0, false
	}
	d := min(seconds, int64(longest/time.Second)) * int64(time.Second)
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
	if value > int64(longest/unit) {
		return longest, true
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

// Earlier returns the shorter of two timeouts of which zero means none.
func Earlier(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// With is context.WithTimeout, but none for zero.
func With(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}
