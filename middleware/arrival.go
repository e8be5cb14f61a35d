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
func (s *Server) Tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	m := s.lookup(info.FullMethodName)
	if m == nil || !m.limited() {
		return ctx, nil
	}
	c := &call{method: m, start: time.Now()}
	c.Parent = ctx
	return (*arrival)(c), nil
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
