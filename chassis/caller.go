package chassis

import (
	"context"

	"github.com/betmakers/paddock/internal/inbound"
)

// Caller is who makes a call, as far as that was proved. The zero value is a caller that has proved
// nothing.
type Caller struct {
	// ID is the SPIFFE ID that mutual TLS has proved, as in spiffe://example.org/web. Empty for
	// none.
	ID string

	// Subject is that of an accepted bearer token, by REST. Empty for none.
	Subject string
}

// CallerOf returns the caller of the call of ctx, or of the request of a handler of [App.Handle].
// It returns the zero value if the caller has proved nothing, or if ctx belongs to neither.
func CallerOf(ctx context.Context) Caller { return Caller(inbound.CallerOf(ctx)) }

// Draining returns a channel that is closed when the service begins to stop, so that a long
// stream can end while its client still has time to reconnect elsewhere. ctx is that of a call or
// an HTTP request. For another ctx it returns nil, which never closes.
//
//	select {
//	case <-chassis.Draining(stream.Context()):
//		return nil // the client reconnects to another instance
//	case update := <-updates:
//		…
//
// Streams that do not end by themselves are ended: the context ends, Recv and Send fail, and the
// client gets UNAVAILABLE. This happens after half of the time that calls have left; streams on
// which only the client sends have nearly all of it.
func Draining(ctx context.Context) <-chan struct{} { return inbound.Draining(ctx) }
