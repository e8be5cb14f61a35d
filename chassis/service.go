package chassis

import (
	"context"

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
	// Verify returns the subject of a token that is accepted. An error refuses the caller. It is for the
	// log, and must not quote the token. Verify is called concurrently, for each REST call that brings a
	// token, and ctx ends with the call's time.
	Verify(ctx context.Context, token string) (subject string, err error)
}

// Service is a service as its programmer describes it. What an operator sets stands in [Config] and in the service's
// own configuration instead. A Service value may be run several times, also at once, if its Setup and Config allow it.
type Service struct {
	// Name is the service's name: lower-case letters, digits and dashes, beginning with a letter, at most 63. It is the
	// path of its SPIFFE ID and its service.name. Required.
	Name string

	// Version is what chassis_build_info, traces and -version show. Empty means the version or revision that the Go
	// toolchain stamped into the binary.
	Version string

	// Config, if not nil, is a pointer to a struct with `env` tags, those of go-envconfig. It is filled before Setup
	// runs. The other tags of [Config] work in it too. CHASSIS_ variables are not for it.
	//
	//	var cfg struct {
	//		Stake int           `env:"MAX_STAKE, default=100" min:"1" max:"5000" help:"Most that a bet may cost."`
	//		Odds  string        `env:"ODDS, default=decimal" oneof:"decimal american" help:"How odds are shown."`
	//		Retry time.Duration `env:"RETRY, default=1s" dev:"0s" min:"0s" help:"Pause before a second attempt."`
	//	}
	//
	// min and max hold for numbers and durations, oneof for texts and numbers, of a list each for its
	// elements. A value outside its limits ends the start, like one that cannot be read, and is
	// reported beside everything else that is wrong. -help shows the limits.
	Config any

	// Setup registers what the service serves. It runs once, when everything that it may use is there and before any
	// port of the service is open. ctx ends when a stop is asked for. An error, a panic, and what is wrong with what it
	// has registered end the start, reported together; so does registering nothing at all. Required.
	Setup func(ctx context.Context, app *App) error

	// Tokens, if not nil, decides about the bearer tokens of callers from outside the mesh, at the REST edge; package jwt has
	// one for OpenID Connect. Methods name such callers as user:SUBJECT. Nil ignores tokens.
	Tokens TokenVerifier

	// Validate, if not nil, checks each message that a handler receives; package validate has one for protovalidate. Its
	// error reaches the caller.
	Validate func(proto.Message) error

	// UnaryInterceptors and StreamInterceptors are the service's own, outermost first. They run for gRPC and REST alike,
	// inside of the chassis's: what they refuse is counted and logged.
	UnaryInterceptors  []grpc.UnaryServerInterceptor
	StreamInterceptors []grpc.StreamServerInterceptor

	// LogSinks, if not nil, returns where the log goes beside standard output, such as a file of its
	// own for the records of one kind. It runs once, when Config is filled and before the first record:
	// every line of the service goes there, the access log included. A sink that fails, hangs or
	// panics costs its own records, which are counted; see docs/logs.md. The end of the service hands
	// over what waits, within CHASSIS_SHUTDOWN_TIMEOUT, and closes the sinks. An error ends the start.
	LogSinks func(ctx context.Context) ([]telemetry.Sink, error)

	// OnEvent, if not nil, is called for each step of starting and stopping, one after the other, by the goroutine
	// that takes the step: it must not block.
	OnEvent func(Event)
}
