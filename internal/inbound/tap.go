package inbound

import (
	"context"
	"time"

	"google.golang.org/grpc/tap"
)

// BoundsStreams reports whether a method that streams declares a deadline, so that the server needs [Server.Tap]. Without
// need it is left out: grpc-go allocates for each call that it shows to a tap.
func (s *Server) BoundsStreams() bool {
	for _, m := range s.Methods() {
		if !m.Unary() && m.Timeout > 0 {
			return true
		}
	}
	return false
}

// Tap gives a stream the deadline that its method declares, and is for grpc.InTapHandle: the transport waits for the context
// that Tap returns, so that a handler which is blocked in Send or Recv comes back with DEADLINE_EXCEEDED. Without Tap it
// stays there for as long as its caller likes.
func (s *Server) Tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	m := s.lookup(info.FullMethodName)
	if m == nil || m.Unary() || m.Timeout <= 0 {
		return ctx, nil
	}
	at := time.Now().Add(m.Timeout)
	if !isEarlier(ctx, at) {
		return ctx, nil
	}
	bounded, cancel := context.WithDeadline(ctx, at) //nolint:gosec // its parent ends it, as said below
	// The transport ends ctx, and bounded with it, when it has written the status. An earlier end would write another one:
	// that of a goroutine which the handler has left in RecvMsg.
	_ = cancel
	return byMethod(bounded), nil
}

// isEarlier reports whether at is before the deadline of ctx, if that has one.
func isEarlier(ctx context.Context, at time.Time) bool {
	deadline, ok := ctx.Deadline()
	return !ok || at.Before(deadline)
}

// boundedKey is the key by which the context of a stream says that its deadline is the method's.
type boundedKey struct{}

func byMethod(ctx context.Context) context.Context { return context.WithValue(ctx, boundedKey{}, true) }
