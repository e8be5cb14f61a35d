package chassis

import (
	"context"
	"net/http"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/telemetry"
)

// TokenVerifier decides about the bearer tokens of callers from outside the mesh.
//
// One that knows when a token ends may have a method
//
//	VerifyUntil(ctx context.Context, token string) (subject string, until time.Time, err error)
//
// too, which is called in the place of Verify. A stream then ends with its token, within a second.
// With Verify, or a zero time, it goes on.
type TokenVerifier interface {
	// Verify returns the subject of a token that is accepted. An error refuses the caller. It is
	// for the log, and must not quote the token. Verify is called concurrently, for each REST call
	// that brings a token, and ctx ends with the call's time.
	Verify(ctx context.Context, token string) (subject string, err error)
}

// Service describes a service: the part that its programmer decides. Operators decide [Config]
// and the service's own settings. A Service value may be run several times, also concurrently, if
// its Setup and Config allow it.
type Service struct {
	// Name is the service's name: lower-case letters, digits and dashes, beginning with a letter,
	// at most 63 characters. It is the path of its SPIFFE ID and its service.name. Required.
	Name string

	// Version is the version in chassis_build_info, traces and -version. If empty, it is the
	// version or revision that the Go toolchain stamped into the binary.
	Version string

	// Config, if not nil, is a pointer to a struct with `env` tags of go-envconfig. It is filled
	// before Setup runs. The other tags of [Config] work in it too. Variables with the prefix
	// CHASSIS_ are reserved.
	//
	//	var cfg struct {
	//		Stake int           `env:"STAKE, default=100" min:"1" max:"5000" help:"Highest stake."`
	//		Odds  string        `env:"ODDS, default=decimal" oneof:"decimal american"`
	//		Retry time.Duration `env:"RETRY, default=1s" dev:"0s" min:"0s"`
	//	}
	//
	// min and max apply to numbers and durations, oneof to texts and numbers, and for a list to
	// each of its elements. A value outside its limits, like one that cannot be parsed, ends the
	// start and is reported together with all other mistakes. -help shows the limits.
	Config any

	// Setup registers servers, handlers and workers. It runs once, after telemetry, identity and
	// the admin port have started and before any port of the service is open. ctx ends when the
	// service is asked to stop. The start fails if Setup returns an error, panics, registers
	// something wrong or registers nothing; all mistakes are reported together. Required.
	Setup func(ctx context.Context, app *App) error

	// Tokens, if not nil, verifies bearer tokens at the REST edge, of callers from outside the
	// mesh. Package jwt has a verifier for OpenID Connect. Methods list such callers as
	// user:SUBJECT. If nil, tokens are ignored.
	Tokens TokenVerifier

	// Validate, if not nil, checks each message before a handler receives it. Package validate
	// has one for protovalidate. Its error is sent to the caller.
	Validate func(proto.Message) error

	// UnaryInterceptors and StreamInterceptors are the service's own, outermost first. They run
	// for gRPC and REST, inside the chassis's pass: calls that they refuse are counted and
	// logged.
	UnaryInterceptors  []grpc.UnaryServerInterceptor
	StreamInterceptors []grpc.StreamServerInterceptor

	// HTTPMiddleware is the service's own around REST and App.Handle, outermost first. It runs
	// once for each request, after the request is traced and measured and before the caller is
	// identified, so it sees requests that are refused later. It is not called for gRPC. A nil
	// middleware, and one that returns nil, end the start.
	HTTPMiddleware []func(http.Handler) http.Handler

	// HTTPHeaders are names of request headers that handlers of REST calls get as metadata under
	// the same name in lower case, such as Idempotency-Key. Any client can send them. Without it,
	// handlers get the headers of grpc-gateway's default under its names, such as
	// grpcgateway-cookie, and the authorization. Names of the connection and of gRPC end the
	// start.
	HTTPHeaders []string

	// GatewayOptions are options for the mux of App.Gateway. They come after those of the
	// chassis, so a marshaler, a matcher or an error handler replaces its own; see docs/rest.md.
	// With options, a call by REST costs a little more. A nil option ends the start.
	GatewayOptions []gateway.ServeMuxOption

	// LogSinks, if not nil, returns additional destinations of the log, such as a file for
	// records of one kind. It runs once, when Config is filled and before the first record. Every
	// sink receives every line of the service, the access log included. A sink that fails, hangs
	// or panics loses only its own records, which are counted; see docs/logs.md. At the end,
	// waiting records are written within CHASSIS_SHUTDOWN_TIMEOUT, and the sinks are closed. An
	// error ends the start.
	LogSinks func(ctx context.Context) ([]telemetry.Sink, error)

	// OnEvent, if not nil, is called for each step of starting and stopping, one at a time. The
	// step waits for it, so it must not block.
	OnEvent func(Event)
}
