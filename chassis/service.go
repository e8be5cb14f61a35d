package chassis

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/middleware"
)

// TokenVerifier decides about bearer tokens. Verify returns the subject of a token, or an error, which is for the log and
// must not quote the token. It is called concurrently.
type TokenVerifier = middleware.TokenVerifier

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
	// runs; `help`, `dev` and `secret` tags do for it what they do for [Config]. CHASSIS_ variables are not for it.
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

	// OnEvent, if not nil, is called for each step of starting and stopping, one after the other, by the goroutine
	// that takes the step: it must not block.
	OnEvent func(Event)
}
