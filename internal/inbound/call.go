package inbound

import (
	"context"
	"io"
	"math"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/served"
)

// call is one call: its handler's context and stream, and the state of the pass. It is the only
// object that the pass allocates for an unrecorded call. It is never reused, because goroutines
// that outlive the handler may still hold it.
type call struct {
	parent   context.Context   //nolint:containedctx // the transport's
	stream   grpc.ServerStream // of the transport
	method   *Method
	http     *httpCall // of a REST call
	start    time.Time
	deadline deadline
	trace    callTrace
	spent    ledger
	reading  boundedMessage
	place    admission.Ticket // among the calls that wait or run
	caller   Caller
	rare     atomic.Pointer[rareCall] // nil for most
	decided  bool                     // the caller was let in
	received bool                     // the caller's message reached the handler
	answered bool                     // the handler has sent a message
	returned bool                     // the handler came back, and did not panic
	byCaller bool                     // the caller caused its failure: it left early, or sent an unreadable message
}

// rareCall has the fields that few calls need. It is immutable, because goroutines of the handler
// read it while the call runs. alter replaces it.
type rareCall struct {
	refused Reason // why its handler did not run; empty if it did
	explain string // the same for operators, in words
	audited bool   // explain is the reason for which it would be refused outside audit mode

	former string // the identity of the connection's certificate, if it is not valid any more

	wouldDeny Reason          // the reason for which its caller would be refused outside audit mode
	baggage   context.Context //nolint:containedctx // the stream's context with the caller's baggage
	partial   *partialStream  // the stream, where a fault is to break it
	unsent    bool            // a message of the handler cannot be sent
	unread    codes.Code      // of a message of a stream that did not reach the handler
}

// alter replaces the rare fields by a changed copy.
func (c *call) alter(change func(*rareCall)) {
	for {
		old := c.rare.Load()
		changed := new(rareCall)
		if old != nil {
			*changed = *old
		}
		change(changed)
		if c.rare.CompareAndSwap(old, changed) {
			return
		}
	}
}

// reason returns the reason why the call was refused, empty if it was not.
func (c *call) reason() Reason {
	if rare := c.rare.Load(); rare != nil {
		return rare.refused
	}
	return ""
}

// The stream of the handler is the transport's, with the call as its context and checks of
// received messages.
var _ grpc.ServerStream = (*call)(nil)

func (c *call) Context() context.Context        { return c }
func (c *call) SetHeader(md metadata.MD) error  { return c.stream.SetHeader(md) }
func (c *call) SendHeader(md metadata.MD) error { return c.stream.SendHeader(md) }
func (c *call) SetTrailer(md metadata.MD)       { c.stream.SetTrailer(md) }

// SendMsg sends a message. In a stream, the time that it waits for the client is counted apart.
func (c *call) SendMsg(m any) error {
	c.answered = true
	if !c.method.Unary() {
		c.spent.begin(&c.method.metrics.traffic.spent, streamSend, time.Since(c.start))
		defer func() { c.spent.end(&c.method.metrics.traffic.spent, streamSend, time.Since(c.start)) }()
	}
	err := c.messages().SendMsg(m)
	if err == nil && measured(c) {
		if message, ok := m.(proto.Message); ok {
			c.method.metrics.traffic.sent.count(sentSize(message))
		}
	}
	if err != nil {
		c.noteUnsent(err)
	}
	return err
}

// noteUnsent records that a message of the handler cannot be sent at all, because it cannot be
// encoded or is too large. gRPC then ends the stream, and with it the context, as if the caller had
// gone.
func (c *call) noteUnsent(err error) {
	if code := status.Code(err); code == codes.Internal || code == codes.ResourceExhausted {
		c.alter(func(rare *rareCall) { rare.unsent = true })
	}
}

// messages returns the stream for messages.
func (c *call) messages() grpc.ServerStream {
	if rare := c.rare.Load(); rare != nil && rare.partial != nil {
		return rare.partial
	}
	return c.stream
}

func (c *call) RecvMsg(m any) error {
	err := c.receive(m)
	if err != nil {
		c.refuseMessage(reasonOfUnreadable(err), err)
		return err
	}
	reason, err := check(c, m)
	if err != nil {
		c.refuseMessage(reason, err)
	}
	c.received = c.received || err == nil
	return err
}

// refuseMessage records why a message did not reach the handler. In a client's stream the handler
// may go on after it. The call counts as failed by its caller if it ends with the error's code.
func (c *call) refuseMessage(reason Reason, err error) {
	switch {
	case !c.method.ClientStreams && !c.received:
		c.refuse(reason, "")
	case c.method.ClientStreams && err != io.EOF && reason.ofTheCaller(): //nolint:errorlint // streams return the value itself
		c.alter(func(rare *rareCall) { rare.unread = status.Code(err) })
	}
}

// unread reports whether a stream ends with code because its client has sent an unreadable
// message.
func (c *call) unread(code codes.Code) bool {
	rare := c.rare.Load()
	return rare != nil && rare.unread == code && code != codes.OK
}

// receive reads a message. In a stream, the time that it waits for the client is counted apart.
func (c *call) receive(m any) error {
	if c.method.Unary() {
		return c.read(m)
	}
	c.spent.begin(&c.method.metrics.traffic.spent, streamReceive, time.Since(c.start))
	defer func() { c.spent.end(&c.method.metrics.traffic.spent, streamReceive, time.Since(c.start)) }()
	return c.read(m)
}

// read measures a gRPC message, and checks it before it is decoded if the method has a limit of
// its own.
func (c *call) read(m any) error {
	if c.http != nil || c.method.MaxRequest == 0 && !measured(c) {
		return c.messages().RecvMsg(m)
	}
	message, ok := m.(proto.Message)
	if !ok {
		return c.messages().RecvMsg(m)
	}
	c.reading = boundedMessage{Message: message, limit: int32(min(c.method.MaxRequest, math.MaxInt32))} //nolint:gosec // bounded
	err := c.messages().RecvMsg(&c.reading)
	size, refused := int(c.reading.size), c.reading.refused
	c.reading.Message = nil // the handler decides how long the message is kept
	switch {
	case err != nil:
		return err
	case refused:
		return tooLarge(size, c.method.MaxRequest)
	case measured(c):
		c.method.metrics.traffic.received.count(size)
	}
	return nil
}

// The context of the handler is the transport's, with the deadline of the method, the span and
// the call itself.
var _ context.Context = (*call)(nil)

// Value returns the values of the pass from the call's own fields, and others from the
// transport's context.
func (c *call) Value(key any) any {
	switch key {
	case c.method.server.obs.keys.span:
		return c.trace.span()
	case served.Key{}:
		return c
	case c.method.server.obs.keys.cancel:
		if c.deadline.own() {
			return c.deadline.arm(c.parent, c.start).Value(key)
		}
	}
	return c.values().Value(key)
}

// values is the context for other values: the stream's, with the caller's baggage if there is
// any.
func (c *call) values() context.Context {
	if rare := c.rare.Load(); rare != nil && rare.baggage != nil {
		return rare.baggage
	}
	return c.stream.Context()
}

// String is the text of the context in errors, as in gRPC. Without it fmt would print its whole
// content.
func (c *call) String() string { return "call of " + c.method.Name }

// GoString is String.
func (c *call) GoString() string { return c.String() }

// Deadline is the earlier of the caller's and the method's deadline.
func (c *call) Deadline() (time.Time, bool) {
	if c.deadline.after > 0 {
		return c.deadline.at(c.start), true
	}
	return c.parent.Deadline()
}

// Done arms the method's deadline at the first call: a handler that never waits needs no timer. A
// stream gets a context that a stop can end.
func (c *call) Done() <-chan struct{} {
	if c.deadline.own() {
		return c.deadline.arm(c.parent, c.start).Done()
	}
	return c.parent.Done()
}

// Err agrees with Done, and reports a passed deadline even if Done was never called.
func (c *call) Err() error {
	if c.deadline.own() {
		return c.deadline.err(c.parent, c.start)
	}
	return c.parent.Err()
}

// refuse records why a call does not reach its handler. Explain is for operators and may be
// empty.
func (c *call) refuse(reason Reason, explain string) {
	c.alter(func(rare *rareCall) { rare.refused, rare.explain, rare.audited = reason, explain, false })
}

// note records, for operators, the result of a call that was not refused, unless one is recorded
// already.
func (c *call) note(what string) {
	c.alter(func(rare *rareCall) {
		if rare.explain == "" {
			rare.explain = what
		}
	})
}

// requested returns the name of the called method. For an unknown method it is not the record's
// name.
func (c *call) requested() string {
	name, _ := grpc.Method(c.stream.Context())
	return name
}

func (c *call) protocol() string {
	if c.http != nil {
		return "http"
	}
	return "grpc"
}

// wouldDeny is the reason for which the caller would be denied, if audit mode has admitted it.
func (c *call) wouldDeny() string {
	if rare := c.rare.Load(); rare != nil {
		return string(rare.wouldDeny)
	}
	return ""
}

// Criticality is the worth of the call.
func (c *call) Criticality() contract.Criticality { return c.place.Worth }

// outside reports whether the caller has proved no identity of the own trust domain. Where mutual
// TLS is off, no caller has.
func (c *call) outside() bool { return !contract.InDomain(c.caller.ID, c.method.server.trustDomain) }

// Begin records that the call begins to spend time on a component, and End that it ends to.
func (c *call) Begin(component *served.Component, at time.Time) {
	c.spent.begin(&c.method.metrics.traffic.spent, component, at.Sub(c.start))
}

// End is the end of Begin.
func (c *call) End(component *served.Component, at time.Time) {
	c.spent.end(&c.method.metrics.traffic.spent, component, at.Sub(c.start))
}
