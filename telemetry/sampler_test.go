package telemetry_test

import (
	"context"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/traceid"
	"github.com/betmakers/paddock/telemetry"
)

// settings makes a Getenv of name, value pairs.
func settings(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

func parents() map[string]trace.SpanContext {
	of := func(flags trace.TraceFlags, remote bool) trace.SpanContext {
		id, span := traceid.New()
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: flags, Remote: remote})
	}
	return map[string]trace.SpanContext{
		"no parent": {}, "remote sampled": of(1, true), "remote unsampled": of(0, true),
		"local sampled": of(1, false), "local unsampled": of(0, false),
	}
}

func TestSampledAgreesWithTheSDK(t *testing.T) {
	ratio := sdktrace.TraceIDRatioBased
	for _, test := range []struct {
		name, arg string
		sdk       sdktrace.Sampler
	}{
		{"", "", sdktrace.ParentBased(sdktrace.AlwaysSample())},
		{"always_on", "", sdktrace.AlwaysSample()},
		{"always_off", "", sdktrace.NeverSample()},
		{"traceidratio", "0.1", ratio(.1)},
		{"traceidratio", "0", ratio(0)},
		{"traceidratio", "1", ratio(1)},
		{"traceidratio", "", ratio(1)},
		{"traceidratio", "1e-9", ratio(1e-9)},
		{"traceidratio", "0.999999999", ratio(.999999999)},
		{"parentbased_always_on", "", sdktrace.ParentBased(sdktrace.AlwaysSample())},
		{"parentbased_always_off", "", sdktrace.ParentBased(sdktrace.NeverSample())},
		{"ParentBased_TraceIDRatio", " 0.5 ", sdktrace.ParentBased(ratio(.5))},
	} {
		t.Run(test.name+test.arg, func(t *testing.T) {
			out := &buffer{}
			tel := start(t, telemetry.Config{
				Output: out, SpanProcessors: []sdktrace.SpanProcessor{tracetest.NewSpanRecorder()},
				Getenv: settings("OTEL_TRACES_SAMPLER", test.name, "OTEL_TRACES_SAMPLER_ARG", test.arg),
			})
			for name, parent := range parents() {
				ctx := trace.ContextWithSpanContext(context.Background(), parent)
				for i := range 2000 {
					id, _ := traceid.New()
					if parent.IsValid() {
						id = parent.TraceID()
					}
					if i < 64 { // the edges of the comparison
						id = trace.TraceID{0: 1, 8: byte(1 << (i % 9)), 15: byte(i / 9)}
					}
					want := test.sdk.ShouldSample(sdktrace.SamplingParameters{ParentContext: ctx, TraceID: id}).Decision == sdktrace.RecordAndSample
					if got := tel.Sampled(parent, id); got != want {
						t.Fatalf("%s, trace %s: Sampled = %t, the SDK says %t", name, id, got, want)
					}
				}
				_, span := tel.Tracer("").Start(ctx, "s")
				if sc := span.SpanContext(); sc.IsSampled() != tel.Sampled(parent, sc.TraceID()) {
					t.Errorf("%s: the span's flag is %t, Sampled disagrees", name, sc.IsSampled())
				}
			}
			if flush(t, tel); out.String() != "" {
				t.Errorf("logged %s", out)
			}
		})
	}
}

func TestNothingIsSampledWhereNothingReceivesSpans(t *testing.T) {
	tel := start(t, telemetry.Config{Getenv: settings("OTEL_TRACES_SAMPLER", "always_on")})
	for name, parent := range parents() {
		id, _ := traceid.New()
		if tel.Sampled(parent, id) {
			t.Errorf("%s: sampled", name)
		}
	}
	_, span := tel.Tracer("").Start(t.Context(), "s")
	if span.IsRecording() || !span.SpanContext().IsValid() {
		t.Errorf("span is recording: %t, has ids: %t, want false and true", span.IsRecording(), span.SpanContext().IsValid())
	}
}

func TestSampledDoesNotAllocate(t *testing.T) {
	tel := start(t, telemetry.Config{SpanProcessors: []sdktrace.SpanProcessor{tracetest.NewSpanRecorder()}})
	id, _ := traceid.New()
	if n := testing.AllocsPerRun(100, func() { tel.Sampled(trace.SpanContext{}, id) }); n != 0 {
		t.Errorf("Sampled allocates %v times, want 0", n)
	}
}

func TestSpanTakesTheIDsOfItsCall(t *testing.T) {
	for name, parent := range parents() {
		t.Run(name, func(t *testing.T) {
			recorder := tracetest.NewSpanRecorder()
			tel := start(t, telemetry.Config{
				SpanProcessors: []sdktrace.SpanProcessor{recorder}, Getenv: settings("OTEL_TRACES_SAMPLER", "always_on"),
			})
			ids := &traceid.IDs{}
			ids.Trace, ids.Span = traceid.New()
			if parent.IsValid() {
				ids.Trace = parent.TraceID()
			}
			ctx := traceid.With(trace.ContextWithSpanContext(t.Context(), parent), ids)
			ctx, call := tel.Tracer("").Start(ctx, "call")
			_, child := tel.Tracer("").Start(ctx, "child")
			_, root := tel.Tracer("").Start(ctx, "root", trace.WithNewRoot())

			if sc := call.SpanContext(); sc.TraceID() != ids.Trace || sc.SpanID() != ids.Span {
				t.Errorf("the call's span has ids %s, %s, want %s, %s", sc.TraceID(), sc.SpanID(), ids.Trace, ids.Span)
			}
			if sc := child.SpanContext(); sc.TraceID() != ids.Trace || sc.SpanID() == ids.Span || !sc.IsValid() {
				t.Errorf("the child has ids %s, %s, want the trace and a span id of its own", sc.TraceID(), sc.SpanID())
			}
			if sc := root.SpanContext(); sc.TraceID() == ids.Trace || sc.SpanID() == ids.Span || !sc.IsValid() {
				t.Errorf("another root has ids %s, %s, want its own", sc.TraceID(), sc.SpanID())
			}
		})
	}
}

func TestSettingsNotUnderstoodAreIgnoredAndLogged(t *testing.T) {
	for name, test := range map[string]struct{ setting, value, want string }{
		"sampler":    {"OTEL_TRACES_SAMPLER", "jaeger_remote", "jaeger_remote"},
		"prefix":     {"OTEL_TRACES_SAMPLER", "parentbased_", "parentbased_"},
		"propagator": {"OTEL_PROPAGATORS", "tracecontext,b3", "b3"},
	} {
		t.Run(name, func(t *testing.T) {
			out := &buffer{}
			tel := start(t, telemetry.Config{Output: out, Getenv: settings(test.setting, test.value)})
			flush(t, tel)
			if all := lines(t, out); len(all) != 1 || all[0]["level"] != "WARN" || !strings.Contains(all[0]["msg"].(string), test.want) {
				t.Errorf("logged %v, want one warning that names %s", all, test.want)
			}
		})
	}
	for _, arg := range []string{"x", "-1", "2", "NaN"} {
		out := &buffer{}
		tel := start(t, telemetry.Config{Output: out, Getenv: settings("OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", arg)})
		flush(t, tel)
		if !strings.Contains(out.String(), "OTEL_TRACES_SAMPLER_ARG") {
			t.Errorf("argument %q: no warning", arg)
		}
	}
}

func TestPropagators(t *testing.T) {
	for setting, want := range map[string]string{
		"": "traceparent tracestate baggage", "tracecontext": "traceparent tracestate", "baggage": "baggage",
		"none": "", "tracecontext,none": "", " Baggage , tracecontext,baggage": "baggage traceparent tracestate",
	} {
		tel := start(t, telemetry.Config{Getenv: settings("OTEL_PROPAGATORS", setting)})
		got := map[string]bool{}
		for _, f := range tel.Propagator().Fields() {
			got[f] = true
		}
		fields := strings.Fields(want)
		if len(got) != len(fields) {
			t.Errorf("OTEL_PROPAGATORS=%q: fields %v, want %v", setting, got, fields)
		}
		for _, f := range fields {
			if !got[f] {
				t.Errorf("OTEL_PROPAGATORS=%q lacks %s", setting, f)
			}
		}
	}
}
