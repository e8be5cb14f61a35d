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

// errDraining is the error that the client of a stream gets when a stop ends the stream.
var errDraining = status.Error(codes.Unavailable, "the server is shutting down: connect again")

// streams are the running streams. A stop, and the end of their callers' proofs, can end them
// from outside their handlers.
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

// Draining returns a channel that is closed when the service begins to stop, so that a long
// stream or download can end while its client still has time to reconnect elsewhere. If ctx
// belongs to no call and no request, it returns nil, which never closes.
func Draining(ctx context.Context) <-chan struct{} {
	if c, ok := ctx.Value(served.Key{}).(*call); ok {
		return c.method.server.draining
	}
	if h := httpCallFrom(ctx); h != nil {
		return h.server.draining
	}
	return nil
}

// ends reports whether the stop ends c now. The caller holds the lock.
func (o *streams) ends(c *call) bool { return o.allOver || o.over && c.method.ServerStreams }

// begin adds a call. A call that begins too late is ended at once.
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

// endOne ends one of the calls. The caller holds the lock.
func (o *streams) endOne(c *call, open openStream, why error) {
	open.ended = why
	o.running[c] = open
	open.end(c)
}

// end removes a call, and returns the reason for which it was ended from outside, nil if it was
// not.
func (o *streams) end(c *call) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	open := o.running[c]
	delete(o.running, c)
	return open.ended
}

// end ends a stream from outside its handler. The caller holds the lock of streams, so the call
// has not ended yet.
func (o openStream) end(c *call) {
	c.deadline.end(c.parent, c.start, o.ended)
	if pipe, ok := o.transport.(interface{ hangUp(error) }); ok {
		pipe.hangUp(o.ended)
		return
	}
	writeStatus(o.transport.Context(), o.ended)
}

// writeStatus ends the call of ctx, which is the transport's. grpc-go has no function for that
// outside the handler, but its stream accepts a status from any goroutine: the client gets it,
// and Recv and Send return. The method belongs to the transport's own type; a test fails if it
// disappears.
func writeStatus(ctx context.Context, err error) {
	if t, ok := grpc.ServerTransportStreamFromContext(ctx).(interface{ WriteStatus(*status.Status) error }); ok {
		_ = t.WriteStatus(status.Convert(err)) // a connection that is gone has ended the call too
	}
}

// leaves reports whether c is a stream that was asked to end by a stop. If it ends with
// UNAVAILABLE, that is the reason.
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

// endedOutside is the outcome of a call that was ended from outside, whatever its handler
// returned: its client has already got the reason.
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
