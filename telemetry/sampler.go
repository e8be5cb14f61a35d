package telemetry

import (
	"context"
	"encoding/binary"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/traceid"
)

// everyTrace is the bound below which every trace id lies.
const everyTrace = 1 << 63

// sampler decides like the samplers of the SDK, with all of OTEL_TRACES_SAMPLER in one
// comparison. The tracer provider uses it too, so both always agree.
type sampler struct {
	parentBased bool   // a parent's decision is followed
	bound       uint64 // of the trace id's lower 63 bits, below which a trace is sampled
}

// nothing samples no span, whatever its parent's decision.
var nothing = sampler{}

func ratioBound(ratio float64) uint64 { return uint64(ratio * everyTrace) }

func (s sampler) decide(parent trace.SpanContext, id trace.TraceID) bool {
	if s.parentBased && parent.IsValid() {
		return parent.IsSampled()
	}
	return binary.BigEndian.Uint64(id[8:])>>1 < s.bound
}

// ShouldSample implements the sampler of the SDK.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanContextFromContext(p.ParentContext)
	result := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: parent.TraceState()}
	if s.decide(parent, p.TraceID) {
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

// Description names the sampler in the SDK's own output.
func (s sampler) Description() string {
	return fmt.Sprintf("paddock{parentBased:%t,ratio:%g}", s.parentBased, float64(s.bound)/everyTrace)
}

// idGenerator gives a span the ids in its context, and random ones otherwise.
type idGenerator struct{}

func (idGenerator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if id, span, ok := traceid.Take(ctx); ok {
		return id, span
	}
	return traceid.New()
}

func (idGenerator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if _, span, ok := traceid.Take(ctx); ok {
		return span
	}
	return traceid.NewSpan()
}
