package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	slogmulti "github.com/samber/slog-multi"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/telemetry"
)

// handler is a log handler made of functions; those that are nil do what is right.
type handler struct {
	slog.Handler
	enabled func()
	handle  func(context.Context, slog.Record) error
	attrs   func()
	group   func()
}

func (h handler) Enabled(ctx context.Context, l slog.Level) bool {
	if h.enabled != nil {
		h.enabled()
	}
	return h.Handler.Enabled(ctx, l)
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if h.handle != nil {
		if err := h.handle(ctx, r); err != nil {
			return err
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if h.attrs != nil {
		h.attrs()
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h handler) WithGroup(name string) slog.Handler {
	if h.group != nil {
		h.group()
	}
	h.Handler = h.Handler.WithGroup(name)
	return h
}

func plainHandler(out io.Writer) slog.Handler {
	return slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.Level(-100)})
}

func sinks(s ...telemetry.Sink) telemetry.Config { return telemetry.Config{Sinks: s} }

// A sink gets what standard output gets: redacted, correlated, each key once, and nothing that
// fails.
func TestASinkGetsWhatStandardOutputGets(t *testing.T) {
	out, extra := &buffer{}, &buffer{}
	cfg := sinks(telemetry.Sink{Name: "extra", Handler: plainHandler(extra)})
	cfg.Output = out
	tel := start(t, cfg)
	log := tel.Logger()
	var nothing *errPointer
	for _, l := range []*slog.Logger{
		log, log.With("a", 1, "password", canary), log.WithGroup("g").With("msg", 2), log.WithGroup("credentials").With("user", canary),
		log.With("header", http.Header{"Cookie": {canary}}).WithGroup("g").WithGroup("h"), slog.New(always{log.Handler()}),
	} {
		for _, ctx := range []context.Context{t.Context(), inSpan(t.Context())} {
			l.InfoContext(ctx, "one", "token", canary, "a", 1, "a", 2, "trace_id", "mine")
			l.WarnContext(ctx, "two", "error", errors.New("broken"), "nothing", nothing, "bytes", []byte("raw"),
				"tree", map[string]any{"secret": canary, "list": []any{1, "x", map[string]int{"b": 2}}})
			l.ErrorContext(ctx, "three", slog.Group("g", "api_key", canary, "since", time.Second), "user", &struct{ Password string }{canary})
		}
	}
	for name, value := range awkward() {
		var one sync.WaitGroup // some end the goroutine
		one.Go(func() { log.InfoContext(inSpan(t.Context()), "awkward", "name", name, "value", value) })
		one.Wait()
	}
	flush(t, tel)
	want, got := lines(t, out), lines(t, extra)
	if len(got) != len(want) || len(got) < 36 {
		t.Fatalf("the sink has %d lines, standard output %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("line %d: the sink has\n%v\nstandard output\n%v", i, got[i], want[i])
		}
	}
	if strings.Contains(extra.String(), canary) || !strings.Contains(extra.String(), `"trace_id":"4b0000000000000000000000000000f1"`) {
		t.Errorf("the sink has a secret, or no trace id: %s", extra)
	}
}

// What slog-multi makes of several handlers works behind a sink, for attributes of the logger too.
func TestRoutesAndFailover(t *testing.T) {
	bets, errs, rest, second := &buffer{}, &buffer{}, &buffer{}, &buffer{}
	down := handler{Handler: slog.DiscardHandler, enabled: nil}
	down.Handler = plainHandler(io.Discard)
	down.handle = func(context.Context, slog.Record) error { panic("down") }
	cfg := sinks(
		telemetry.Sink{Name: "routed", Handler: slogmulti.Router().
			Add(plainHandler(bets), slogmulti.AttrValueIs("kind", "bet")).
			Add(plainHandler(errs), slogmulti.LevelIs(slog.LevelError)).
			Add(plainHandler(rest)).FirstMatch().Handler()},
		telemetry.Sink{Name: "spare", Level: slog.LevelWarn, Handler: slogmulti.Failover()(down, plainHandler(second))},
	)
	out := &buffer{}
	cfg.Output = out
	tel := start(t, cfg)
	tel.Logger().With("kind", "bet").Info("placed")
	tel.Logger().Info("settled", "kind", "bet", "password", canary)
	tel.Logger().Error("broken")
	tel.Logger().Warn("odd")
	flush(t, tel)
	for name, test := range map[string]struct {
		got  *buffer
		want []string
	}{
		"by attribute": {bets, []string{"placed", "settled"}}, "by level": {errs, []string{"broken"}}, "the rest": {rest, []string{"odd"}},
		"the second": {second, []string{"broken", "odd"}}, "standard output": {out, []string{"placed", "settled", "broken", "odd"}},
	} {
		var messages []string
		for _, line := range lines(t, test.got) {
			messages = append(messages, fmt.Sprint(line["msg"]))
		}
		if !reflect.DeepEqual(messages, test.want) {
			t.Errorf("%s: got %q, want %q", name, messages, test.want)
		}
	}
	if strings.Contains(bets.String(), canary) {
		t.Errorf("a secret got out: %s", bets)
	}
	if n := dropped(t, tel, "routed") + dropped(t, tel, "spare"); n != 0 {
		t.Errorf("%d records counted as lost", n)
	}
}

// A sink that hangs costs its own records, and bounded memory.
func TestASinkThatHangsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const records, size = 10_000, 1000
		release := make(chan struct{})
		out, other, hung := &buffer{}, &buffer{}, &buffer{}
		slow := handler{Handler: plainHandler(hung), handle: func(context.Context, slog.Record) error { <-release; return nil }}
		cfg := sinks(telemetry.Sink{Name: "hung", Handler: slow}, telemetry.Sink{Name: "other", Handler: plainHandler(other)})
		cfg.Output = out
		tel := start(t, cfg)
		log, begin := tel.Logger().With("a", 1), time.Now()
		for i := range records {
			log.Info("m", "text", strings.Repeat("x", size))
			if i%100 == 0 {
				synctest.Wait() // the others keep up
				time.Sleep(20 * time.Millisecond)
			}
		}
		if waited := time.Since(begin); waited != records/100*20*time.Millisecond {
			t.Errorf("log calls waited: %v", waited)
		}
		time.Sleep(20 * time.Millisecond) // standard output collects lines for 10 ms
		synctest.Wait()
		lost := dropped(t, tel, "hung")
		if taken := records - lost; taken < 100 || taken*size > 1<<20 {
			t.Errorf("%d records of %d bytes wait, want at most 1 MiB", taken, size)
		}
		if n := strings.Count(other.String(), `"m"`); n != records || strings.Count(out.String(), `"msg":"m"`) != records {
			t.Errorf("the other sink has %d lines, want %d as on standard output", n, records)
		}
		if n := strings.Count(out.String(), `"sink":"hung"`); n != 1 {
			t.Errorf("%d lines report the sink, want one a minute", n)
		}
		close(release)
		synctest.Wait()
		if n := strings.Count(hung.String(), `"m"`); n != records-lost {
			t.Errorf("%d records arrived after all, want %d", n, records-lost)
		}
		log.Info("again")
		flush(t, tel)
		if !strings.Contains(hung.String(), "again") {
			t.Error("the sink gets nothing any more")
		}
	})
}

// One record may be larger than the queue: it is alone in it.
func TestARecordBeyondTheQueue(t *testing.T) {
	release := make(chan struct{})
	var got []int
	h := handler{Handler: plainHandler(io.Discard), handle: func(_ context.Context, r slog.Record) error {
		<-release
		r.Attrs(func(a slog.Attr) bool { got = append(got, len(a.Value.String())); return true })
		return nil
	}}
	tel := start(t, sinks(telemetry.Sink{Name: "large", Handler: h}))
	for range 3 {
		tel.Logger().Info("m", "text", strings.Repeat("x", 2<<20))
	}
	close(release)
	flush(t, tel)
	if lost := dropped(t, tel, "large"); lost != 2 || !reflect.DeepEqual(got, []int{2 << 20}) {
		t.Errorf("%d lost, got records of %d bytes; want the first alone", lost, got)
	}
}

func TestASinkThatFailsCostsItsOwnRecord(t *testing.T) {
	once := func(fail func()) func() {
		failed := false
		return func() {
			if !failed {
				failed = true
				fail()
			}
		}
	}
	for how, fail := range map[string]func(){
		"panics": func() { panic("broken") }, "panics with an error": func() { panic(errors.New("broken")) }, "exits": runtime.Goexit,
		"panics with nothing good": func() { panic(badError{func() { panic("worse") }}) },
	} {
		for where, set := range map[string]func(*handler, func()){
			"Enabled":   func(h *handler, f func()) { h.enabled = f },
			"Handle":    func(h *handler, f func()) { h.handle = func(context.Context, slog.Record) error { f(); return nil } },
			"WithAttrs": func(h *handler, f func()) { h.attrs = f },
			"WithGroup": func(h *handler, f func()) { h.group = f },
		} {
			t.Run(where+" "+how, func(t *testing.T) {
				out, extra := &buffer{}, &buffer{}
				h := handler{Handler: plainHandler(extra)}
				set(&h, once(fail))
				cfg := sinks(telemetry.Sink{Name: "weak", Handler: h})
				cfg.Output = out
				tel := start(t, cfg)
				log := tel.Logger().With("a", 1).WithGroup("g").With("b", 2)
				log.Info("first", "c", 3)
				log.Info("second", "c", 3)
				flush(t, tel)
				if got := extra.String(); strings.Contains(got, "first") || !strings.Contains(got, `"a":1,"g":{"b":2,"c":3}`) {
					t.Errorf("the sink has %s, want the second record", got)
				}
				if n := dropped(t, tel, "weak"); n != 1 {
					t.Errorf("%d records counted as lost, want 1", n)
				}
				if got := out.String(); !strings.Contains(got, "first") || !strings.Contains(got, "second") || strings.Count(got, `"sink":"weak"`) != 1 {
					t.Errorf("standard output has %s", got)
				}
			})
		}
	}
}

func TestAnErrorOfASinkIsCountedAndReported(t *testing.T) {
	out := &buffer{}
	h := handler{Handler: slog.DiscardHandler}
	h.Handler = plainHandler(io.Discard)
	h.handle = func(context.Context, slog.Record) error { return errors.New("no space left") }
	cfg := sinks(telemetry.Sink{Name: "disk", Handler: h})
	cfg.Output = out
	tel := start(t, cfg)
	for range 5 {
		tel.Logger().Info("m")
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	if n := dropped(t, tel, "disk"); n != 5 || strings.Count(out.String(), "no space left") != 1 || !strings.Contains(out.String(), `"lost":4`) {
		t.Errorf("%d records counted as lost; %s", n, out)
	}
}

// The sink's own goroutine reads what the log call was given later: it may have changed by then.
func TestASinkSharesNothingWithTheLogCall(t *testing.T) {
	extra := &buffer{}
	release := make(chan struct{})
	h := handler{Handler: plainHandler(extra), handle: func(context.Context, slog.Record) error { <-release; return nil }}
	tel := start(t, sinks(telemetry.Sink{Name: "late", Handler: h}))
	bytes, list, tree, err := []byte("before"), []any{"before"}, map[string]any{"k": []byte("before")}, &errPointer{"before"}
	group := []slog.Attr{slog.Any("k", bytes)}
	log := tel.Logger().With("bytes", bytes, "error", err)
	log.Info("m", "bytes", bytes, "list", list, "tree", tree, "error", err, slog.GroupAttrs("group", group...))
	copy(bytes, "AFTER!")
	list[0], tree["k"], err.text, group[0] = "AFTER", "AFTER", "AFTER", slog.String("k", "AFTER")
	close(release)
	flush(t, tel)
	if got := extra.String(); strings.Contains(got, "AFTER") || strings.Count(got, "before") != 3 || strings.Count(got, "YmVmb3Jl") != 4 {
		t.Errorf("got %s, want what was logged", got)
	}
}

// The context of a call may be used again when it is over, and must not be held.
func TestTheContextOfASinkHasTheSpanAlone(t *testing.T) {
	type key struct{}
	var got []context.Context
	h := handler{Handler: plainHandler(io.Discard), handle: func(ctx context.Context, _ slog.Record) error {
		got = append(got, ctx)
		return nil
	}}
	tel := start(t, sinks(telemetry.Sink{Name: "curious", Handler: h}))
	ctx, cancel := context.WithCancel(context.WithValue(inSpan(t.Context()), key{}, "of the call"))
	tel.Logger().InfoContext(ctx, "m")
	cancel()
	flush(t, tel)
	if len(got) != 1 || got[0].Value(key{}) != nil || got[0].Done() != nil ||
		trace.SpanContextFromContext(got[0]).TraceID() != trace.SpanContextFromContext(ctx).TraceID() {
		t.Errorf("got %v", got)
	}
}

func TestShutdownClosesSinksAfterTheirLastRecord(t *testing.T) {
	var order []string
	note := func(what string) { order = append(order, what) }
	h := handler{Handler: plainHandler(io.Discard), handle: func(_ context.Context, r slog.Record) error { note(r.Message); return nil }}
	tel := start(t, sinks(telemetry.Sink{Name: "file", Handler: h, Close: func(context.Context) error { note("closed"); return errors.New("disk full") }}))
	tel.Logger().Info("one")
	tel.Logger().Info("two")
	err := tel.Shutdown(t.Context())
	if want := `telemetry: the log sink "file" is not closed: disk full`; err == nil || err.Error() != want {
		t.Errorf("Shutdown = %v, want %s", err, want)
	}
	tel.Logger().Info("late")
	_ = tel.Shutdown(t.Context()) // the same error again
	if want := []string{"one", "two", "closed"}; !reflect.DeepEqual(order, want) || dropped(t, tel, "file") != 1 {
		t.Errorf("got %q and %d lost, want %q and the late one", order, dropped(t, tel, "file"), want)
	}
}

func TestACloseThatGoesWrongIsAnErrorOfShutdown(t *testing.T) {
	for want, fail := range map[string]func(){
		`the log sink "file" is not closed: its Close panicked: broken`:    func() { panic("broken") },
		`the log sink "file" is not closed: its Close ended its goroutine`: runtime.Goexit,
	} {
		other := make(chan struct{})
		tel := start(t, sinks(
			telemetry.Sink{Name: "file", Handler: plainHandler(io.Discard), Close: func(context.Context) error { fail(); return nil }},
			telemetry.Sink{Name: "other", Handler: plainHandler(io.Discard), Close: func(context.Context) error { close(other); return nil }},
		))
		if err := tel.Shutdown(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Shutdown = %v, want %s", err, want)
		}
		<-other // is closed all the same
	}
}

func TestShutdownLeavesASinkThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		closed := false
		out := &buffer{}
		h := handler{Handler: plainHandler(io.Discard), handle: func(context.Context, slog.Record) error { <-release; return nil }}
		cfg := sinks(telemetry.Sink{Name: "hung", Handler: h, Close: func(context.Context) error { closed = true; return nil }})
		cfg.Output = out
		tel := start(t, cfg)
		for range 10 {
			tel.Logger().Info("m")
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		err := tel.Shutdown(ctx)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("Shutdown took %v, want half of its time", took)
		}
		if err == nil || !strings.Contains(err.Error(), `the log sink "hung" has not taken 10 records`) {
			t.Errorf("Shutdown = %v", err)
		}
		if n := dropped(t, tel, "hung"); n != 9 || !strings.Contains(out.String(), `"lost":9`) {
			t.Errorf("%d records counted as lost, want those that waited; %s", n, out)
		}
		close(release)
		synctest.Wait() // and the bubble ends only if its goroutine does
		if closed {
			t.Error("the sink was closed after all")
		}
	})
}

func TestStartRefusesSinksThatCannotWork(t *testing.T) {
	closed := 0
	sink := func(name string, h slog.Handler) telemetry.Sink {
		return telemetry.Sink{Name: name, Handler: h, Close: func(context.Context) error { closed++; return nil }}
	}
	cfg := sinks(sink("", slog.DiscardHandler), sink("Bets", slog.DiscardHandler), sink("stdout", slog.DiscardHandler),
		sink("bets", slog.DiscardHandler), sink("bets", slog.DiscardHandler), sink("none", nil))
	cfg.Service, cfg.LogFormat, cfg.Output = "test", "json", io.Discard
	_, err := telemetry.Start(t.Context(), cfg)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`the name ""`, `the name "Bets"`, `"stdout" of a log sink is taken`, `"bets" of a log sink is taken`, `"none" has no Handler`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if closed != len(cfg.Sinks) {
		t.Errorf("%d sinks are closed, want each", closed)
	}
}

// A handler in the log call, and a value of a record, cost neither the process nor the line.
func TestAHandlerOrValueThatPanicsCostsNoLine(t *testing.T) {
	for _, others := range [][]slog.Handler{{}, {slog.DiscardHandler}} {
		out, extra := &buffer{}, &buffer{}
		h := handler{Handler: plainHandler(io.Discard), handle: func(context.Context, slog.Record) error { panic("broken") }}
		tel := start(t, telemetry.Config{
			Output: out, LogHandlers: append(others, h),
			Sinks: []telemetry.Sink{{Name: "extra", Handler: plainHandler(extra)}},
		})
		tel.Logger().Info("m", "value", logValuer{func() { panic("also broken") }})
		tel.Sinks().Info("m")
		flush(t, tel)
		if strings.Count(out.String(), `"msg":"m"`) != 1 || strings.Count(extra.String(), `"msg":"m"`) != 2 || dropped(t, tel, "handler") != 2 {
			t.Errorf("standard output has %s, the sink %s, %d are lost", out, extra, dropped(t, tel, "handler"))
		}
	}
}

// FuzzSink looks for a record that a sink gets otherwise than standard output.
func FuzzSink(f *testing.F) {
	f.Add("m", "k", "v", []byte(`{"a":[1,{"b":"c"}]}`), uint8(3))
	f.Add("\xff", "password", "\n", []byte("raw"), uint8(255))
	f.Fuzz(func(t *testing.T, message, key, text string, raw []byte, shape uint8) {
		out, extra := &buffer{}, &buffer{}
		cfg := sinks(telemetry.Sink{Name: "extra", Handler: plainHandler(extra)})
		cfg.Output = out
		tel := start(t, cfg)
		l, ctx := tel.Logger(), t.Context()
		if shape&1 != 0 {
			l = l.With(key, text, "raw", bytes.Clone(raw))
		}
		if shape&2 != 0 {
			l = l.WithGroup(text)
		}
		if shape&4 != 0 {
			ctx = inSpan(ctx)
		}
		l.InfoContext(ctx, message, key, rawJSON(raw), key, text, slog.Group(key, text, raw), "error", errors.New(text))
		flush(t, tel)
		if got, want := lines(t, extra), lines(t, out); !reflect.DeepEqual(got, want) && len(text)+len(key)+len(raw) < 100<<10 {
			t.Errorf("the sink has\n%v\nstandard output\n%v", got, want)
		}
	})
}

// BenchmarkSink is BenchmarkLogger with a sink: what the copy and the queue cost a log call.
func BenchmarkSink(b *testing.B) {
	for name, level := range map[string]slog.Level{"every record": slog.LevelInfo, "errors alone": slog.LevelError} {
		b.Run(name, func(b *testing.B) {
			cfg := sinks(telemetry.Sink{Name: "extra", Handler: plainHandler(io.Discard), Level: level})
			cfg.Output = io.Discard
			log := start(b, cfg).Logger().With("service", "wallet")
			b.ReportAllocs()
			for b.Loop() {
				log.Info("bet placed", "bet", "b-17", "stake", 250, "market", "m-4", "ok", true)
			}
		})
	}
}

// A record below the level of a sink is not even offered to its handler: the access log asks first.
func TestASinkThatWantsErrorsIsNotAskedForOthers(t *testing.T) {
	asked := 0
	extra := &buffer{}
	h := handler{Handler: plainHandler(extra), enabled: func() { asked++ }}
	tel := start(t, sinks(telemetry.Sink{Name: "errors", Handler: h, Level: slog.LevelError}))
	if tel.Sinks().Enabled(t.Context(), slog.LevelWarn) || !tel.Sinks().Enabled(t.Context(), slog.LevelError) {
		t.Error("the sinks want warnings, or no errors")
	}
	tel.Logger().Warn("odd")
	tel.Logger().Error("broken")
	flush(t, tel)
	if got := extra.String(); asked != 1 || strings.Contains(got, "odd") || !strings.Contains(got, "broken") {
		t.Errorf("the handler was asked %d times, and has %s", asked, got)
	}
}

// leveler is a level whose method is the service's.
type leveler func() slog.Level

func (l leveler) Level() slog.Level { return l() }

// A Level that panics costs neither the process nor the record, and one that always does is an
// error of the start.
func TestLevelOfASinkThatPanics(t *testing.T) {
	var sick atomic.Bool
	var taken atomic.Int64
	h := handler{Handler: plainHandler(io.Discard), handle: func(context.Context, slog.Record) error { taken.Add(1); return nil }}
	tel := start(t, sinks(telemetry.Sink{Name: "file", Handler: h, Level: leveler(func() slog.Level {
		if sick.Load() {
			panic("no level")
		}
		return slog.LevelInfo
	})}))
	sick.Store(true)
	tel.Logger().Info("m")
	flush(t, tel)
	if taken.Load() != 1 {
		t.Errorf("the sink has %d records, want 1", taken.Load())
	}
	for _, level := range []slog.Leveler{(*slog.LevelVar)(nil), leveler(func() slog.Level { panic("no level") })} {
		_, err := telemetry.Start(t.Context(), sinks(telemetry.Sink{Name: "file", Handler: slog.DiscardHandler, Level: level}))
		if err == nil || !strings.Contains(err.Error(), `the Level of the log sink "file" panicked`) {
			t.Errorf("got %v, want an error about the level", err)
		}
	}
}

// What a sink reports at its end stands in the log.
func TestErrorOfASinksCloseIsLogged(t *testing.T) {
	out := &buffer{}
	cfg := sinks(telemetry.Sink{Name: "file", Handler: slog.DiscardHandler, Close: func(context.Context) error { return errors.New("disk full") }})
	cfg.Output = out
	if err := start(t, cfg).Shutdown(t.Context()); err == nil {
		t.Error("Shutdown has no error")
	}
	if !strings.Contains(out.String(), "disk full") {
		t.Errorf("the log does not say why: %s", out.String())
	}
}
