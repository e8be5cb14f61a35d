package telemetry

import (
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// text formats a value for people.
func text(v slog.Value) string {
	if v.Kind() == slog.KindTime {
		return v.Time().Format(time.RFC3339Nano)
	}
	if _, isError := v.Any().(error); v.Kind() != slog.KindAny || isError {
		return v.String()
	}
	if raw, err := json.Marshal(v.Any()); err == nil {
		return string(raw)
	}
	return v.String()
}

// word quotes a text that is not one plain word. JSON objects and lists stay readable.
func word(s string) string {
	odd := func(r rune) bool { return r == '"' || r == '=' || r == ' ' || !unicode.IsPrint(r) }
	if s == "" || (strings.ContainsFunc(s, odd) && !json.Valid([]byte(s))) {
		return strconv.Quote(s)
	}
	return plainText(s)
}

// plainText quotes s if it has characters that are not printable.
func plainText(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return s
}
