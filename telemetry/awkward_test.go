package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/telemetry"
)

// failing values: each fails in one method, in the way of its field.
type (
	logValuer struct{ fail func() }
	jsonValue struct{ fail func() }
	textValue struct{ fail func() }
	stringer  struct{ fail func() }
	badError  struct{ fail func() }
)

func (v logValuer) LogValue() slog.Value         { v.fail(); return slog.Value{} }
func (v jsonValue) MarshalJSON() ([]byte, error) { v.fail(); return nil, errors.New("no JSON") }
func (v textValue) MarshalText() ([]byte, error) { v.fail(); return nil, errors.New("no text") }
func (v stringer) String() string                { v.fail(); return "" }
func (v badError) Error() string                 { v.fail(); return "error \xff" }

type (
	jsonPointer struct{ text string }
	textPointer struct{ text string }
	errPointer  struct{ text string }
	logPointer  struct{ text string }
	rawJSON     string
	looping     struct{}
	twins       struct{}
)

func (v *jsonPointer) MarshalJSON() ([]byte, error) { return []byte(v.text), nil }
func (v *textPointer) MarshalText() ([]byte, error) { return []byte(v.text), nil }
func (v *errPointer) Error() string                 { return v.text }
func (v *logPointer) LogValue() slog.Value          { return slog.StringValue(v.text) }
func (v rawJSON) MarshalJSON() ([]byte, error)      { return []byte(v), nil }
func (v looping) LogValue() slog.Value              { return slog.AnyValue(v) }
func (v twins) LogValue() slog.Value                { return slog.GroupValue(slog.Any("a", v), slog.Any("b", v)) }

func awkward() map[string]any {
	panics, exits, fails := func() { panic("broken") }, runtime.Goexit, func() {}
	cycle := map[string]any{}
	cycle["again"] = cycle
	type ring struct{ Next *ring }
	round := &ring{}
	round.Next = round
	return map[string]any{
		"LogValue panics": logValuer{panics}, "LogValue exits": logValuer{exits}, "LogValue loops": looping{}, "LogValue grows": twins{},
		"MarshalJSON panics": jsonValue{panics}, "MarshalJSON exits": jsonValue{exits}, "MarshalJSON fails": jsonValue{fails},
		"MarshalText panics": textValue{panics}, "MarshalText exits": textValue{exits}, "MarshalText fails": textValue{fails},
		"String panics": stringer{panics}, "String exits": stringer{exits},
		"Error panics": badError{panics}, "Error exits": badError{exits}, "Error is no UTF-8": badError{fails},
		"panic of an error": logValuer{func() { panic(badError{panics}) }},
		"nil marshaler":     (*jsonPointer)(nil), "nil text": (*textPointer)(nil), "nil error": (*errPointer)(nil), "nil valuer": (*logPointer)(nil),
		"bad text": &textPointer{"\xff\x7f\n\""}, "broken JSON": rawJSON(`{"a":`), "two JSON": rawJSON(`{} {}`), "no JSON": rawJSON(``),
		"twice in JSON": rawJSON(`{"a":1,"a":2}`), "lines of JSON": rawJSON("{\n\"a\":\n1}"),
		"late": time.Unix(1<<40, 0), "early": time.Unix(-1<<40, 0), "late pointer": ptr(time.Unix(1<<40, 0)), "zone": time.Now().In(time.FixedZone("z", 90_000)),
		"NaN": math.NaN(), "Inf": math.Inf(-1), "NaN32": float32(math.NaN()), "complex": complex(1, math.NaN()),
		"channel": make(chan int), "func": func() {}, "pointer to func": ptr(func() {}), "cycle": cycle, "ring": round,
		"UTF-8": "\xff\xfe", "controls": "\x00\x1b\u0085\u2028\x7f", "error UTF-8": errors.New("\xff"), "bytes": []byte{0xff},
		"keys": map[string]int{"\xff": 1, "\xfe": 2, "\n": 3}, "odd keys": map[any]any{1: 2, "1": 3, &stringer{panics}: 4},
		"nil": nil, "duration": time.Duration(math.MinInt64), "raw": json.RawMessage(`{`), "number": json.Number("x"),
	}
}

func ptr[T any](v T) *T { return &v }

// placements are where a value may stand.
var placements = map[string]func(l *slog.Logger, ctx context.Context, v any){
	"top": func(l *slog.Logger, ctx context.Context, v any) { l.InfoContext(ctx, "m", "k", v, "after", 1) },
	"in a group": func(l *slog.Logger, ctx context.Context, v any) {
		l.InfoContext(ctx, "m", slog.Group("g", "k", v), "after", 1)
	},
	"in open group": func(l *slog.Logger, ctx context.Context, v any) {
		l.WithGroup("g").InfoContext(ctx, "m", "k", v, "after", 1)
	},
	"in a struct": func(l *slog.Logger, ctx context.Context, v any) {
		l.InfoContext(ctx, "m", "k", struct {
			V     any
			Other string
		}{v, "x"}, "after", 1)
	},
	"in a slice": func(l *slog.Logger, ctx context.Context, v any) {
		l.InfoContext(ctx, "m", "k", []any{1, v}, "after", 1)
	},
	"in a map": func(l *slog.Logger, ctx context.Context, v any) {
		l.InfoContext(ctx, "m", "k", map[string]any{"v": v}, "after", 1)
	},
	"in arguments": func(l *slog.Logger, ctx context.Context, v any) {
		l.InfoContext(ctx, "m", "k", &struct{ P *any }{&v}, "after", 1)
	},
}

func TestAwkwardValuesCostOneAttribute(t *testing.T) {
	for name, v := range awkward() {
		for place, log := range placements {
			for _, format := range []string{"json", "text"} {
				t.Run(name+"/"+place+"/"+format, func(t *testing.T) {
					out := &buffer{}
					tel := start(t, telemetry.Config{Output: out, LogFormat: format, LogHandlers: []slog.Handler{slog.NewJSONHandler(io.Discard, nil)}})
					for _, ctx := range []context.Context{t.Context(), inSpan(t.Context())} {
						ended := make(chan any)
						go func() {
							defer close(ended)
							defer func() {
								if p := recover(); p != nil {
									ended <- p
								}
							}()
							log(tel.Logger(), ctx, v)
						}()
						if p := <-ended; p != nil {
							t.Errorf("logging panics: %v", p)
						}
					}
					flush(t, tel)
					all := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
					if len(all) != 2 || len(out.String()) > 2<<20 {
						t.Fatalf("%d lines, %d bytes, want 2 lines: %.2000q", len(all), len(out.String()), all)
					}
					for _, line := range all {
						if format == "json" {
							proper(t, line)
						}
						whole := strings.HasSuffix(name, "exits") && place == "in open group" // which costs the group
						if !whole && !strings.Contains(line, "after") {
							t.Errorf("the attribute behind it is lost: %.2000s", line)
						}
					}
				})
			}
		}
	}
}

// With is where attributes are rendered ahead.
func TestAwkwardValuesOfALogger(t *testing.T) {
	for name, v := range awkward() {
		if strings.HasSuffix(name, "exits") {
			continue // the goroutine is over before there is a line
		}
		for _, format := range []string{"json", "text"} {
			t.Run(name+"/"+format, func(t *testing.T) {
				out := &buffer{}
				tel := start(t, telemetry.Config{Output: out, LogFormat: format})
				tel.Logger().With("k", v).WithGroup("g").With("k", v).Info("m")
				flush(t, tel)
				if format == "json" {
					proper(t, strings.TrimSuffix(out.String(), "\n"))
				}
			})
		}
	}
}

func TestTimesThatJSONCannotHold(t *testing.T) {
	out := &buffer{}
	tel := start(t, telemetry.Config{Output: out})
	late := time.Date(12345, 1, 2, 3, 4, 5, 0, time.UTC)
	tel.Logger().Info("m", "t", late, slog.Group("g", "t", late), "s", struct{ T time.Time }{late})
	r := slog.NewRecord(late, slog.LevelInfo, "odd", 0)
	if err := tel.Logger().Handler().Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	flush(t, tel)
	const want = `"t":"12345-01-02T03:04:05Z","g":{"t":"12345-01-02T03:04:05Z"},"s":{"T":"12345-01-02T03:04:05Z"}}`
	first, second, _ := strings.Cut(out.String(), "\n")
	if !strings.HasSuffix(first, want) {
		t.Errorf("got %s, want it to end in %s", first, want)
	}
	proper(t, strings.TrimSuffix(second, "\n"))
	if !strings.HasPrefix(second, `{"time":"20`) {
		t.Errorf("got %s, want the time of now", second)
	}
}

func TestKeysStandOnce(t *testing.T) {
	reserved := []any{"msg", 1, "time", 2, "level", 3, "trace_id", 4, "span_id", 5, "trace_flags", 6}
	for name, test := range map[string]struct {
		log  func(l *slog.Logger, ctx context.Context)
		want string
	}{
		"reserved": {
			func(l *slog.Logger, ctx context.Context) { l.InfoContext(ctx, "m", reserved...) },
			`"msg_2":1,"time_2":2,"level_2":3,"trace_id_2":4,"span_id_2":5,"trace_flags_2":6}`,
		},
		"of the logger": {
			func(l *slog.Logger, ctx context.Context) { l.With(reserved...).InfoContext(ctx, "m", "a", 1) },
			`"a":1}`,
		},
		"in a group": {
			func(l *slog.Logger, ctx context.Context) { l.WithGroup("g").InfoContext(ctx, "m", "msg", 1) },
			`"g":{"msg":1}}`,
		},
		"twice":          {func(l *slog.Logger, ctx context.Context) { l.InfoContext(ctx, "m", "a", 1, "a", 2, "a_2", 3, "a", 4) }, `"a":1,"a_2":2,"a_2_2":3,"a_3":4}`},
		"With and again": {func(l *slog.Logger, ctx context.Context) { l.With("a", 1).InfoContext(ctx, "m", "a", 2) }, `"a_2":2}`},
		"With twice":     {func(l *slog.Logger, ctx context.Context) { l.With("a", 1).With("a", 2).InfoContext(ctx, "m") }, ``},
		"groups": {func(l *slog.Logger, ctx context.Context) {
			l.InfoContext(ctx, "m", slog.Group("g", "a", 1, "a", 2), slog.Group("g", "b", 1))
		}, `"g":{"a":1,"a_2":2},"g_2":{"b":1}}`},
		"inlined group": {func(l *slog.Logger, ctx context.Context) {
			l.InfoContext(ctx, "m", "a", 1, slog.Group("", "a", 2, "msg", 3))
		}, `"a":1,"a_2":2,"msg_2":3}`},
		"empty group": {func(l *slog.Logger, ctx context.Context) { l.InfoContext(ctx, "m", slog.Group("a"), "a", 2) }, `"a":2}`},
		"open group":  {func(l *slog.Logger, ctx context.Context) { l.With("g", 1).WithGroup("g").InfoContext(ctx, "m", "a", 2) }, `"g_2":{"a":2}}`},
		"no keys":     {func(l *slog.Logger, ctx context.Context) { l.LogAttrs(ctx, 0, "m", slog.Int("", 1), slog.Int("", 2)) }, `"":1,"_2":2}`},
		"UTF-8":       {func(l *slog.Logger, ctx context.Context) { l.InfoContext(ctx, "m", "\xff", 1, "\xfe", 2) }, `"` + "\ufffd" + `":1,"` + "\ufffd" + `_2":2}`},
		"many": {func(l *slog.Logger, ctx context.Context) {
			var many []any
			for i := range 2000 {
				many = append(many, "a", i)
			}
			l.InfoContext(ctx, "m", many...)
		}, `"a_2000":1999}`},
	} {
		t.Run(name, func(t *testing.T) {
			out := &buffer{}
			tel := start(t, telemetry.Config{Output: out})
			test.log(tel.Logger(), t.Context())
			test.log(tel.Logger(), inSpan(t.Context()))
			flush(t, tel)
			for line := range strings.Lines(out.String()) {
				if line = strings.TrimSuffix(line, "\n"); !strings.HasSuffix(line, test.want) {
					t.Errorf("got %s, want it to end in %s", line, test.want)
				}
				proper(t, line)
			}
			if all := lines(t, out); all[1]["trace_id"] != "4b0000000000000000000000000000f1" || all[1]["msg"] != "m" {
				t.Errorf("the chassis's own are gone: %v", all[1])
			}
		})
	}
}

// proper fails the test unless line is one JSON object in which each key stands once.
func proper(t testing.TB, line string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(line))
	if err := once(d); err != nil {
		t.Errorf("%v: %.3000q", err, line)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || !strings.HasPrefix(line, "{") {
		t.Errorf("not one object: %.3000q", line)
	}
}

func once(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[any]bool{}
	for d.More() {
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			if seen[key] {
				return fmt.Errorf("key %q stands twice", key)
			}
			seen[key] = true
		}
		if err := once(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// FuzzLine looks for attributes that make a line no JSON, or a key stand twice.
func FuzzLine(f *testing.F) {
	f.Add("m", "k", "k", "v", int64(1<<40), math.NaN(), []byte(`{"a":1,"a":2}`), uint8(3))
	f.Add("\xff", "msg", "trace_id", "\xfe", int64(-1<<40), math.Inf(1), []byte("\xff"), uint8(255))
	f.Add("", "", "_2", "\n", int64(0), 0.0, []byte(nil), uint8(8))
	f.Fuzz(func(t *testing.T, message, a, b, text string, unix int64, number float64, raw []byte, shape uint8) {
		out := &buffer{}
		tel := start(t, telemetry.Config{Output: out})
		l := tel.Logger()
		if shape&1 != 0 {
			l = l.With(a, text)
		}
		if shape&2 != 0 {
			l = l.WithGroup(b).With(a, number)
		}
		ctx := t.Context()
		if shape&4 != 0 {
			ctx = inSpan(ctx)
		}
		inner := slog.Group(b, a, time.Unix(unix, 0), b, json.RawMessage(raw), a, map[string]any{a: number, b: time.Unix(unix, 0)})
		l.InfoContext(ctx, message, a, number, b, time.Unix(unix, 0), inner, inner, a, errors.New(text), b, rawJSON(raw), a, &textPointer{text})
		flush(t, tel)
		proper(t, strings.TrimSuffix(out.String(), "\n"))
	})
}

func TestInvalidUTF8LosesNoBatch(t *testing.T) {
	c := newCollector(t)
	tel := export(t, c.URL, telemetry.Config{})
	const bad = "\xff"
	ctx, span := tel.Tracer("test").Start(context.Background(), "name"+bad)
	span.SetAttributes(attribute.String("k"+bad, bad), attribute.StringSlice("l", []string{bad}),
		attribute.KeyValue{Key: "m", Value: attribute.MapValue(attribute.KeyValue{Key: bad, Value: attribute.SliceValue(attribute.StringValue(bad))})})
	span.AddEvent("event"+bad, trace.WithAttributes(attribute.String("k"+bad, bad)))
	span.SetStatus(codes.Error, bad)
	tel.Logger().With("k"+bad, bad).WithGroup("g"+bad).ErrorContext(ctx, "message"+bad, "e", errors.New(bad), "m", map[string]any{bad: []string{bad}}, "s", bad)
	span.End()
	id := traceSomething(tel, 1)
	flush(t, tel)
	for _, path := range []string{"/v1/traces", "/v1/logs"} {
		if !c.got(path, id[:]) {
			t.Errorf("%s lacks what was in the batch", path)
		}
	}
	if !c.got("/v1/traces", []byte("name\ufffd")) || !c.got("/v1/logs", []byte("message\ufffd")) || bytes.Contains(c.bodies["/v1/logs"], []byte("message"+bad)) {
		t.Error("the text is not there with its bad part replaced")
	}
}
