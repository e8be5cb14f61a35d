package telemetry_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/betmakers/paddock/telemetry"
)

func TestLongLinesAreCut(t *testing.T) {
	giant := strings.Repeat("\x1b\u2028\"ü\x7f", 1<<17) // twice the limit
	many := make([]any, 0, 200_000)
	for i := range 100_000 {
		many = append(many, fmt.Sprint("k", i), i)
	}
	type list []map[string]string
	for name, log := range map[string]func(*slog.Logger){
		"value":         func(l *slog.Logger) { l.InfoContext(inSpan(t.Context()), "m", "small", "s", "big", giant) },
		"logger's own":  func(l *slog.Logger) { l.With("big", giant).InfoContext(inSpan(t.Context()), "m", "small", "s") },
		"two":           func(l *slog.Logger) { l.InfoContext(inSpan(t.Context()), "m", "small", "s", "a", giant, "b", giant) },
		"in open group": func(l *slog.Logger) { l.WithGroup("g").InfoContext(inSpan(t.Context()), "m", "big", giant) },
		"group": func(l *slog.Logger) {
			l.InfoContext(inSpan(t.Context()), "m", "small", "s", slog.Group("g", "big", giant))
		},
		"tree":    func(l *slog.Logger) { l.InfoContext(inSpan(t.Context()), "m", "small", "s", "t", list{{"a": giant}}) },
		"many":    func(l *slog.Logger) { l.InfoContext(inSpan(t.Context()), "m", many...) },
		"key":     func(l *slog.Logger) { l.InfoContext(inSpan(t.Context()), "m", "small", "s", giant, 1) },
		"message": func(l *slog.Logger) { l.InfoContext(inSpan(t.Context()), giant, "small", "s") },
	} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"json", "text"} {
				out := &buffer{}
				tel := start(t, telemetry.Config{Output: out, LogFormat: format})
				log(tel.Logger())
				flush(t, tel)
				line, rest, _ := strings.Cut(out.String(), "\n")
				if rest != "" || len(line) > 512<<10 || len(line) < 128<<10 && name != "key" {
					t.Fatalf("%s: %d bytes and %d behind, want one line of up to 512 KiB", format, len(line), len(rest))
				}
				if !strings.Contains(line, "[cut, was") && !strings.Contains(line, `"cut":"`) {
					t.Errorf("%s: there is no mark", format)
				}
				if !strings.Contains(line, "4b0000000000000000000000000000f1") {
					t.Errorf("%s: the trace id is lost", format)
				}
				if n := dropped(t, tel, "stdout"); n != 0 {
					t.Errorf("%s: %d lines dropped", format, n)
				}
				if format == "text" {
					continue
				}
				proper(t, line)
				if got := lines(t, out)[0]; name != "in open group" && name != "many" && got["small"] != "s" || got["level"] != "INFO" {
					t.Errorf("what is small was cut: %.300v", got)
				}
			}
		})
	}
}

func TestAFinishedLineIsCut(t *testing.T) {
	out := &buffer{}
	tel := start(t, telemetry.Config{Output: out})
	line := fmt.Sprintf(`{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"call","code":"INTERNAL","error":%q,"trace_id":"4bf1"}`, strings.Repeat("x", 2<<20))
	if n, err := tel.Lines().Write([]byte(line)); n != len(line) || err != nil {
		t.Errorf("Write = %d, %v, want %d, nil", n, err, len(line))
	}
	flush(t, tel)
	if got := lines(t, out)[0]; got["code"] != "INTERNAL" || got["trace_id"] != "4bf1" || !strings.HasSuffix(got["error"].(string), "bytes]") {
		t.Errorf("got %.300v", got)
	}
}
