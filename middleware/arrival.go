package middleware

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"
)

// Tap is where a call arrives by gRPC: its header has come, its message is not read yet, and no goroutine serves it. It
// is for grpc.InTapHandle. The call takes its place in the queue here, because in an overload of the processors the
// goroutines that would take it later stand in a queue of the scheduler's, which nobody sees. Tap runs in the goroutine
// that reads the connection, and so neither waits nor refuses: a refused call is answered by its handler's goroutine, with
// everything that belongs to an answer.
//
// A stream gets the deadline that its method declares here, because the transport waits for the context that Tap returns:
// a handler that is blocked in Send or Recv comes back with DEADLINE_EXCEEDED. Without Tap it stays there for as long as
// its caller likes.
func (s *Server) Tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	m := s.lookup(info.FullMethodName)
	if m == nil {
		return ctx, nil
	}
	start := time.Now()
	bounded := m.bound(ctx, start)
	if bounded == ctx && !m.limited() {
		return ctx, nil
	}
	c := &call{method: m, start: start}
	c.Parent = bounded
	if m.limited() {
		c.arrive(info)
	}
	return (*arrival)(c), nil
}

// bound returns the context of a stream with the method's deadline, where that is earlier than the caller's.
func (m *Method) bound(ctx context.Context, start time.Time) context.Context {
	if m.Unary() || m.Timeout <= 0 {
		return ctx
	}
	at := start.Add(m.Timeout)
	if callers, ok := ctx.Deadline(); ok && !at.Before(callers) {
		return ctx
	}
	bounded, cancel := context.WithDeadline(ctx, at) //nolint:gosec // its parent ends it, as said below
	// The transport ends ctx, and bounded with it, when it has written the status. An earlier end would write another one:
	// that of a goroutine which the handler has left in RecvMsg.
	_ = cancel
	return bounded
}

// arrive takes the call's place in the queue.
func (c *call) arrive(info *tap.Info) {
	s := c.method.server
	c.caller.ID = peerIdentity(c.Parent)
	c.Share = s.share(c.Parent, c.caller.ID)
	c.weigh(info.Header[criticalityKey])
	c.Reads = c.method.Unary()
	s.cfg.Admission.Arrive(&c.Ticket, c.start)
}

// arrival is a call as the transport sees it: as the context of its stream, in which Serve finds the call again.
type arrival call

var _ context.Context = (*arrival)(nil)

type arrivalKey struct{}

// Deadline is the caller's.
func (a *arrival) Deadline() (time.Time, bool) { return a.Parent.Deadline() }

// Done is closed when the transport is done with the call.
func (a *arrival) Done() <-chan struct{} { return a.Parent.Done() }

// Err tells why Done is closed.
func (a *arrival) Err() error { return a.Parent.Err() }

// Value is the transport's, but for the call.
func (a *arrival) Value(key any) any {
	if key == (arrivalKey{}) {
		return (*call)(a)
	}
	return a.Parent.Value(key)
}

// String names the context where it is printed.
func (a *arrival) String() string { return (*call)(a).String() }

// GoString is String.
func (a *arrival) GoString() string { return a.String() }

// arrived returns the call of a stream: the one that the tap has seen, else a new one.
func (m *Method) arrived(stream grpc.ServerStream) *call {
	ctx := stream.Context()
	// A call that a handler makes in this process has the handler's own call in its context.
	if c, ok := ctx.Value(arrivalKey{}).(*call); ok && c.method == m && c.stream == nil {
		c.stream = stream
		return c
	}
	c := &call{stream: stream, method: m, start: time.Now()}
	c.Parent = ctx
	return c
}
