package middleware

import (
	"context"
	"log/slog"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errDraining is what the client of a stream is told that a stop has ended.
var errDraining = status.Error(codes.Unavailable, "the server is shutting down: connect again")

// streams are the streaming calls that run, so that a stop can end them from outside of their handlers.
type streams struct {
	mu      sync.Mutex
	running map[*call]openStream
	over    bool // streams that the server sends end as they come
	allOver bool // the others too
}

type openStream struct {
	transport grpc.ServerStream
	ended     bool
}

// Draining returns a channel that is closed when the service begins to stop, so that a long stream or download can end in
// good order while its client still has time to go elsewhere. For a ctx that belongs to no call and to no request it is
// nil: it never closes.
func Draining(ctx context.Context) <-chan struct{} {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c.method.server.draining
	}
	if h := httpCallFrom(ctx); h != nil {
		return h.server.draining
	}
	return nil
}

// Drain tells the calls that run, and those that still come, that the service is about to stop: see Draining.
// Further calls do nothing.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }

// EndStreams ends the streaming calls that run, and those that still come, and returns how many there were. Their clients get
// UNAVAILABLE at once, and what their handlers wait for ends: contexts, whose [context.Cause] is that status, Recv and
// Send. Streams that the client alone sends are left alone unless uploads is true. Unary calls go on.
func (s *Server) EndStreams(uploads bool) (ended int) {
	o := &s.streams
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over, o.allOver = true, o.allOver || uploads
	for c, open := range o.running {
		if open.ended || !o.ends(c) {
			continue
		}
		open.ended = true
		o.running[c] = open
		open.end(c)
		ended++
	}
	return ended
}

// ends reports whether a stop has come so far that it ends c. The lock is held.
func (o *streams) ends(c *call) bool { return o.allOver || o.over && c.method.ServerStreams }

// begin takes in a call. One that comes too late ends as it begins.
func (o *streams) begin(c *call) {
	open := openStream{transport: c.stream}
	o.mu.Lock()
	defer o.mu.Unlock()
	if open.ended = o.ends(c); open.ended {
		open.end(c)
	}
	if o.running == nil {
		o.running = map[*call]openStream{}
	}
	o.running[c] = open
}

// end lets go of a call, and reports whether it was ended from outside.
func (o *streams) end(c *call) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	open := o.running[c]
	delete(o.running, c)
	return open.ended
}

// end ends a stream from outside of its handler. The lock of streams is held, so that the call has not ended yet.
func (o openStream) end(c *call) {
	c.deadline.end(c.Parent, c.start, errDraining)
	if pipe, ok := o.transport.(interface{ hangUp() }); ok {
		pipe.hangUp()
		return
	}
	// grpc-go has no way to end one call, but its stream takes a status from any goroutine: it goes to the client, and
	// Recv and Send return. The method is of the transport's own; a test tells if it goes.
	transport := grpc.ServerTransportStreamFromContext(o.transport.Context())
	if t, ok := transport.(interface{ WriteStatus(*status.Status) error }); ok {
		_ = t.WriteStatus(status.Convert(errDraining)) // a connection that is gone has ended the stream too
	}
}

// drained is the outcome of a stream that a stop has ended, whatever its handler made of that: its client has been told.
func (c *call) drained(err error) outcome {
	c.refuse(ReasonDraining, "")
	if err != nil {
		logger(c.method.server.cfg.Logger).LogAttrs(c, slog.LevelDebug, "handler's error after its stream was ended",
			slog.String("method", c.method.Name), slog.String("error", err.Error()))
	}
	return outcome{codes.Unavailable, errDraining}
}
