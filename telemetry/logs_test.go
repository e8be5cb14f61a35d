package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/telemetry"
)

// buffer is an output that a test may read while it is written.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// start starts telemetry that hears nothing of the environment, and stops it with the test.
func start(t testing.TB, cfg telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	if cfg.Service == "" {
		cfg.Service = "test"
	}
	if cfg.LogFormat == "" {
		cfg.LogFormat = "json"
	}
	if cfg.Output == nil {
		cfg.Output = &buffer{}
	}
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	tel, err := telemetry.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = tel.Shutdown(ctx) // tests that care about its error call it themselves
	})
	return tel
}

func flush(t testing.TB, tel *telemetry.Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := tel.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// lines returns what was logged, decoded.
func lines(t testing.TB, out *buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("not a JSON line: %q: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func inSpan(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0x4b, 15: 0xf1}, SpanID: trace.SpanID{0x0a, 7: 0x01}, TraceFlags: trace.FlagsSampled,
	}))
}

func TestLogIsAProperSlogHandler(t *testing.T) {
	var out *buffer
	var tel *telemetry.Telemetry
	slogtest.Run(t,
		func(t *testing.T) slog.Handler {
			out = &buffer{}
			tel = start(t, telemetry.Config{Output: out})
			return tel.Logger().Handler()
		},
		func(t *testing.T) map[string]any {
			flush(t, tel)
			return lines(t, out)[0]
		})
}

// The same again with a span in the context, which takes another way through the handlers.
func TestCorrelatedLogIsAProperSlogHandler(t *testing.T) {
	var out *buffer
	var tel *telemetry.Telemetry
	slogtest.Run(t,
		func(t *testing.T) slog.Handler {
			out = &buffer{}
			tel = start(t, telemetry.Config{Output: out})
			return always{tel.Logger().Handler()}
		},
		func(t *testing.T) map[string]any {
			flush(t, tel)
			return lines(t, out)[0]
		})
}

type always struct{ slog.Handler }

func (h always) Handle(ctx context.Context, r slog.Record) error {
	return h.Handler.Handle(inSpan(ctx), r)
}
func (h always) WithAttrs(attrs []slog.Attr) slog.Handler { return always{h.Handler.WithAttrs(attrs)} }
func (h always) WithGroup(name string) slog.Handler       { return always{h.Handler.WithGroup(name)} }

func TestTraceIDsStandAtTopLevel(t *testing.T) {
	for name, log := range map[string]func(*slog.Logger) *slog.Logger{
		"plain":            func(l *slog.Logger) *slog.Logger { return l },
		"attributes":       func(l *slog.Logger) *slog.Logger { return l.With("a", 1) },
		"group":            func(l *slog.Logger) *slog.Logger { return l.WithGroup("g") },
		"groups and attrs": func(l *slog.Logger) *slog.Logger { return l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h") },
	} {
		t.Run(name, func(t *testing.T) {
			out := &buffer{}
			tel := start(t, telemetry.Config{Output: out})
			log(tel.Logger()).InfoContext(inSpan(t.Context()), "m", "k", "v")
			flush(t, tel)
			line := lines(t, out)[0]
			for key, want := range map[string]string{
				"trace_id": "4b0000000000000000000000000000f1", "span_id": "0a00000000000001", "trace_flags": "01",
			} {
				if line[key] != want {
					t.Errorf("%s = %v, want %s at top level in %v", key, line[key], want, line)
				}
			}
		})
	}
}

func TestGroupsKeepTheirAttributesBesideTraceIDs(t *testing.T) {
	out := &buffer{}
	tel := start(t, telemetry.Config{Output: out})
	tel.Logger().With("a", 1).WithGroup("g").With("b", 2).WithGroup("h").InfoContext(inSpan(t.Context()), "m", "c", 3)
	flush(t, tel)
	const want = `"msg":"m","a":1,"trace_id":"4b0000000000000000000000000000f1","span_id":"0a00000000000001","trace_flags":"01","g":{"b":2,"h":{"c":3}}}`
	if !strings.HasSuffix(strings.TrimSpace(out.String()), want) {
		t.Errorf("got %s, want it to end in %s", out, want)
	}
}

type secretive struct{}

func (secretive) LogValue() slog.Value {
	return slog.GroupValue(slog.String("password", canary), slog.String("user", "u"))
}

const canary = "c4n4ry"

func TestSecretsAreMaskedWhereverTheyStand(t *testing.T) {
	write := map[string]func(*slog.Logger){
		"attribute":       func(l *slog.Logger) { l.Info("m", "Authorization", "Bearer "+canary) },
		"logger's own":    func(l *slog.Logger) { l.With("password", canary).Info("m") },
		"in a group":      func(l *slog.Logger) { l.Info("m", slog.Group("g", slog.Group("h", "api_key", canary))) },
		"open group":      func(l *slog.Logger) { l.WithGroup("g").With("token", canary).Info("m", "client_secret", canary) },
		"secret group":    func(l *slog.Logger) { l.WithGroup("credentials").With("user", canary).Info("m", "k", canary) },
		"group attribute": func(l *slog.Logger) { l.Info("m", slog.Group("cookies", "session", canary)) },
		"header":          func(l *slog.Logger) { l.Info("m", "header", http.Header{"Cookie": {canary}}) },
		"log valuer":      func(l *slog.Logger) { l.Info("m", "user", secretive{}) },
		"struct":          func(l *slog.Logger) { l.Info("m", "user", &struct{ Password string }{canary}) },
	}
	for _, format := range []string{"json", "text"} {
		for name, write := range write {
			t.Run(format+"/"+name, func(t *testing.T) {
				out, extra := &buffer{}, &buffer{}
				tel := start(t, telemetry.Config{
					Output: out, LogFormat: format, LogHandlers: []slog.Handler{slog.NewTextHandler(extra, nil)},
				})
				write(tel.Logger())
				write(slog.New(always{tel.Logger().Handler()}))
				write(tel.Sinks())
				flush(t, tel)
				if all := out.String() + extra.String(); strings.Contains(all, canary) {
					t.Errorf("leaks: %s", all)
				} else if strings.Count(all, "[REDACTED]") < 5 {
					t.Errorf("lacks the mask: %s", all)
				}
			})
		}
	}
}

// FuzzLogLine looks for input that breaks out of its line or its place.
func FuzzLogLine(f *testing.F) {
	f.Add("message", "key", "value")
	f.Add("two\nlines", "k\n", "\x1b[31m\u2028")
	f.Add(`{"a":1}`, "", "{\"a\":\"\u009b\"}")
	f.Add("\x7f", "\u0085", "\u009bm \u00a0")
	f.Add("\u202egnp.exe", "\u061c", "\u2066\u200e\u200f\u2069 \u202a\u202b\u202c\u202d\u2067\u2068")
	f.Fuzz(func(t *testing.T, message, key, value string) {
		for _, format := range []string{"json", "text"} {
			out := &buffer{}
			tel := start(t, telemetry.Config{Output: out, LogFormat: format})
			tel.Logger().With(key, value).WithGroup(key).Info(message, key, value)
			flush(t, tel)
			line := strings.TrimSuffix(out.String(), "\n")
			if i := strings.IndexFunc(line, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Bidi_Control) }); i >= 0 {
				t.Errorf("%s: control character at %d of %q", format, i, line)
			}
			if format == "json" && !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %q", line)
			}
		}
	})
}

func TestLevelHoldsForEverySinkAndChangesAtRunTime(t *testing.T) {
	out, extra := &buffer{}, &buffer{}
	all := slog.NewJSONHandler(extra, &slog.HandlerOptions{Level: slog.Level(-100)})
	tel := start(t, telemetry.Config{Output: out, LogLevel: slog.LevelWarn, LogHandlers: []slog.Handler{all}})
	tel.Logger().Info("one")
	tel.Level().Set(slog.LevelDebug)
	tel.Logger().Debug("two")
	tel.Sinks().Debug("three")
	flush(t, tel)
	if got := out.String(); strings.Contains(got, "one") || !strings.Contains(got, "two") || strings.Contains(got, "three") {
		t.Errorf("standard output has %q, want only two", got)
	}
	if got := extra.String(); strings.Contains(got, "one") || !strings.Contains(got, "two") || !strings.Contains(got, "three") {
		t.Errorf("the extra handler has %q, want two and three", got)
	}
}

func TestLinesAndSinks(t *testing.T) {
	if tel := start(t, telemetry.Config{LogFormat: "text"}); tel.Lines() != nil || tel.Sinks() != nil {
		t.Errorf("text format: Lines() = %v, Sinks() = %v, want nil and nil", tel.Lines(), tel.Sinks())
	}
	out := &buffer{}
	tel := start(t, telemetry.Config{Output: out})
	if _, err := tel.Lines().Write([]byte("{\"msg\":\"ready-made \x7f\u009b \u202e\u061c– “text” \u2069\"}")); err != nil {
		t.Fatal(err)
	}
	flush(t, tel)
	if got, want := out.String(), `{"msg":"ready-made \u007f\u009b \u202e\u061c– “text” \u2069"}`+"\n"; got != want {
		t.Errorf("output is %q, want %q", got, want)
	}
}

func TestTextFormat(t *testing.T) {
	for name, test := range map[string]struct {
		log  func(*slog.Logger)
		want string
	}{
		"words":   {func(l *slog.Logger) { l.Info("a message", "k", "v", "n", 1) }, `INFO  a message k=v n=1`},
		"quoting": {func(l *slog.Logger) { l.Warn("m", "k", "a b", "e", "", "q", `"`, "eq", "a=b") }, `WARN  m k="a b" e="" q="\"" eq="a=b"`},
		"control": {func(l *slog.Logger) { l.Error("a\nb", "k\n", "\x1b[0m") }, `ERROR "a\nb" "k\n"="\x1b[0m"`},
		"groups":  {func(l *slog.Logger) { l.With("a", 1).WithGroup("g").With("b", 2).Info("m", slog.Group("h", "c", 3)) }, `INFO  m a=1 g.b=2 g.h.c=3`},
		"values": {func(l *slog.Logger) {
			l.Info("m", "e", errors.New("bad thing"), "d", time.Second, "m", map[string]int{"x": 1})
		}, `INFO  m e="bad thing" d=1s m={"x":1}`},
		"trace id":  {func(l *slog.Logger) { l.InfoContext(inSpan(context.Background()), "m") }, `INFO  m trace_id=4b0000000000000000000000000000f1`},
		"odd level": {func(l *slog.Logger) { l.Log(context.Background(), slog.LevelInfo+1, "m") }, `INFO+1 m`},
	} {
		t.Run(name, func(t *testing.T) {
			out := &buffer{}
			tel := start(t, telemetry.Config{Output: out, LogFormat: "text"})
			test.log(tel.Logger())
			flush(t, tel)
			clock, rest, _ := strings.Cut(strings.TrimSuffix(out.String(), "\n"), " ")
			if _, err := time.Parse("15:04:05.000", clock); err != nil || rest != test.want {
				t.Errorf("got  %s\nwant <time> %s", out, test.want)
			}
		})
	}
}

func TestLogAfterShutdownIsHarmless(t *testing.T) {
	out := &buffer{}
	tel := start(t, telemetry.Config{Output: out, LogHandlers: []slog.Handler{slog.DiscardHandler}})
	for range 2 {
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	tel.Logger().Error("late")
	if n, err := tel.Lines().Write([]byte("late\n")); n != 5 || err != nil {
		t.Errorf("Write = %d, %v, want 5, nil", n, err)
	}
	_, span := tel.Tracer("late").Start(t.Context(), "late")
	span.End()
	flush(t, tel)
	if out.String() != "" {
		t.Errorf("output is %q, want nothing", out)
	}
}

// withoutTime takes the time off each line.
type withoutTime struct{ out io.Writer }

func (w withoutTime) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		_, rest, _ := strings.Cut(line, `,`)
		if _, err := io.WriteString(w.out, "{"+rest); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
