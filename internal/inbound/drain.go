package inbound

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/served"
)

// errDraining is what the client of a stream is told that a stop has ended.
var errDraining = status.Error(codes.Unavailable, "the server is shutting down: connect again")

// streams are the streaming calls that run, so that a stop, or the end of what their callers have proved, can end
// them from outside of their handlers.
type streams struct {
	mu      sync.Mutex
	running map[*call]openStream
	plain   map[*httpCall]plainStream // of plain HTTP handlers
	watched bool                      // a timer will look at the proofs
	over    bool                      // streams that the server sends end as they come
	allOver bool                      // the others too
}

type openStream struct {
	transport grpc.ServerStream
	standing
	ended error // why it was ended from outside, nil if it was not
}

// Draining returns a channel that is closed when the service begins to stop, so that a long stream or download can
// end in good order while its client still has time to go elsewhere. For a ctx that belongs to no call and to no
// request it is nil: it never closes.
func Draining(ctx context.Context) <-chan struct{} {
	if c, ok := ctx.Value(served.Key{}).(*call); ok {
		return c.method.server.draining
	}
	if h := httpCallFrom(ctx); h != nil {
		return h.server.draining
	}
	return nil
}

// ends reports whether a stop has come so far that it ends c. The lock is held.
func (o *streams) ends(c *call) bool { return o.allOver || o.over && c.method.ServerStreams }

// begin takes in a call. One that comes too late ends as it begins.
func (o *streams) begin(c *call) {
	open := openStream{transport: c.stream, standing: standing{proof: proofOf(c.parent)}}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running == nil {
		o.running = map[*call]openStream{}
	}
	o.running[c] = open
	if o.ends(c) {
		o.endOne(c, open, errDraining)
	} else if open.proof != nil {
		o.watch()
	}
}

// endOne ends one of the calls. The lock is held.
func (o *streams) endOne(c *call, open openStream, why error) {
	open.ended = why
	o.running[c] = open
	open.end(c)
}

// end lets go of a call, and returns why it was ended from outside, nil if it was not.
func (o *streams) end(c *call) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	open := o.running[c]
	delete(o.running, c)
	return open.ended
}

// end ends a stream from outside of its handler. The lock of streams is held, so that the call has not ended yet.
func (o openStream) end(c *call) {
	c.deadline.end(c.parent, c.start, o.ended)
	if pipe, ok := o.transport.(interface{ hangUp(error) }); ok {
		pipe.hangUp(o.ended)
		return
	}
	writeStatus(o.transport.Context(), o.ended)
}

// writeStatus ends the call of ctx, the transport's. Grpc-go has no way to do that from outside of the handler, but
// its stream takes a status from any goroutine: it goes to the client, and Recv and Send return. The method is of the
// transport's own; a test tells if it goes.
func writeStatus(ctx context.Context, err error) {
	if t, ok := grpc.ServerTransportStreamFromContext(ctx).(interface{ WriteStatus(*status.Status) error }); ok {
		_ = t.WriteStatus(status.Convert(err)) // a connection that is gone has ended the call too
	}
}

// leaves reports whether c is a stream that has been told of a stop: what it ends with UNAVAILABLE it ends for that.
func leaves(c *call) bool {
	if c.method.Unary() {
		return false
	}
	select {
	case <-c.method.server.draining:
		return c.reason() == ""
	default:
		return false
	}
}

// endedOutside is the outcome of a call that was ended from outside, whatever its handler made of that: its client
// has been told why.
func endedOutside(c *call, why, err error) outcome {
	reason, explain := ReasonUnauthenticated, status.Convert(why).Message()
	switch {
	case errors.Is(why, errDraining):
		reason, explain = ReasonDraining, ""
	case errors.Is(why, errCut):
		reason, explain = ReasonShutdown, ""
	}
	c.refuse(reason, explain)
	if err != nil {
		logger(c.method.server.cfg.Logger).LogAttrs(c, slog.LevelDebug, "handler's error after its call was ended",
			slog.String("method", c.method.Name), slog.String("error", err.Error()))
	}
	return outcome{status.Code(why), why}
}

func endStreams(s *Server, uploads bool) (ended int) {
	o := &s.streams
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over, o.allOver = true, o.allOver || uploads
	for c, open := range o.running {
		if open.ended != nil || !o.ends(c) {
			continue
		}
		o.endOne(c, open, errDraining)
		ended++
	}
	for h, open := range o.plain {
		if open.conn == nil {
			continue
		}
		delete(o.plain, h)
		closeTaken(open.conn)
		ended++
	}
	return ended
}
