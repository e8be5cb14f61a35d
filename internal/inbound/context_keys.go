package inbound

import (
	"context"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// contextKeys are the keys by which other packages look up values that a call has in its own
// fields. The keys are private to those packages, but a context sees the keys that it is asked
// for, so each is found by asking once. A call then needs one object instead of a chain of
// contexts.
type contextKeys struct {
	span, incoming, outgoing, transport any
	cancel                              any // of package context: the parent that a child attaches itself to
}

func findContextKeys() contextKeys {
	var k contextKeys
	trace.SpanFromContext(keyProbe{context.Background(), &k.span})
	metadata.FromIncomingContext(keyProbe{context.Background(), &k.incoming})
	metadata.FromOutgoingContext(keyProbe{context.Background(), &k.outgoing})
	grpc.ServerTransportStreamFromContext(keyProbe{context.Background(), &k.transport})
	_ = context.Cause(keyProbe{context.Background(), &k.cancel})
	return k
}

// keyProbe remembers the key that it is asked for.
type keyProbe struct {
	context.Context
	key *any
}

// Err reports an end, because context.Cause asks for its key only after the end of a context.
func (p keyProbe) Err() error { return context.Canceled }

func (p keyProbe) Value(key any) any {
	*p.key = key
	return nil
}
