package inbound

import (
	"context"
	"io"
	"runtime"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/served"
)

// What parses and what formats is tested by itself, against the standard library and OpenTelemetry.

// Unreadable returns what a caller is told of a request that the gateway could not decode.
func Unreadable(message string) string {
	return unreadable(status.New(codes.InvalidArgument, message), nil).Message()
}

// TimeFormat returns the formatter of one log, which remembers the last second.
func TimeFormat() func(time.Time) string {
	var w lineWriter
	return func(t time.Time) string { return string(w.appendTime(nil, t)) }
}

// Armed reports whether the deadline of a handler's context runs a timer.
func Armed(ctx context.Context) bool {
	return ctx.Value(served.Key{}).(*call).deadline.armed.Load() != nil
}

// SetCPU replaces the processor time of the process.
func (s *Server) SetCPU(used func() time.Duration) { s.obs.load.cpu = used }

// Criticality returns what the call of a handler's context is worth.
func Criticality(ctx context.Context) string {
	return ctx.Value(served.Key{}).(*call).Criticality().String()
}

// ProcessCPU is the processor time of the process.
func ProcessCPU() time.Duration { return processCPU() }

// What parses header fields of requests.
var (
	AcceptsGzip = acceptsGzip
	MatchesTag  = matchesTag
)

// AllowsOrigin reports whether a setting with one origin allows another.
func AllowsOrigin(setting, origin string) bool {
	c, err := newCORS([]string{setting}, nil, nil)
	return err == nil && c.allows(origin)
}

// NewGzips returns the compressors of a server, and a function that takes all of them.
func NewGzips() (compress func([]byte) []byte, exhaust func()) {
	g := new(gzips)
	return g.compress, func() { g.busy.Store(int64(atOnce * runtime.GOMAXPROCS(0))) }
}

// What the gateway calls, for tests of it without a gateway.
var (
	TakeTimeout       = takeTimeout
	WriteError        = writeError
	WriteRoutingError = writeRoutingError
)

// PlainPath decodes what has no meaning of its own in a path.
var PlainPath = plainPath

// DecodeJSON decodes a request's body into v as the gateway does.
func DecodeJSON(body io.Reader, v any) error { return newJSONMarshaler().NewDecoder(body).Decode(v) }
