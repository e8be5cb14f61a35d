package inbound

import (
	"context"
	"io"
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

// call is one call: the context and the stream that its handler gets, and what the pass remembers of it. It is the
// only object the pass allocates for a call that is not recorded. Goroutines that a handler leaves behind may hold it
// for longer than the call lasts, so it is never reused.
type call struct {
	parent   context.Context   //nolint:containedctx // the transport's
	stream   grpc.ServerStream // of the transport
	method   *Method
	http     *httpCall // of a REST call
	start    time.Time
	deadline deadline
	trace    callTrace
	place    admission.Ticket // among the calls that wait or run
	caller   Caller
	rare     atomic.Pointer[rareCall] // nil for most
	decided  bool                     // the caller was let in
	received bool                     // the caller's message reached the handler
	returned bool                     // the handler came back, and did not panic
	byCaller bool                     // it failed for what its caller did: went early, or sent what cannot be read
}

// rareCall is what few calls have. It does not change: goroutines of the handler read it while the call goes on. Alter
// replaces it.
type rareCall struct {
	refused Reason // why its handler did not run; empty if it did
	explain string // the same for operators, in words
	audited bool   // explain tells why it would have been refused, were it not for the audit mode

	former string // whom the certificate of the connection names, where it is not accepted any more

	wouldDeny Reason          // why its caller would have been refused, were it not for the audit mode
	baggage   context.Context //nolint:containedctx // the stream's context with the caller's baggage
	partial   *partialStream  // the stream, where a fault is to break it
	unread    codes.Code      // of a message of a stream that did not reach the handler
}

// alter replaces what few calls have by a changed copy.
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

// reason tells why the call was refused, empty if it was not.
func (c *call) reason() Reason {
	if rare := c.rare.Load(); rare != nil {
		return rare.refused
	}
	return ""
}

// The stream of the handler is the transport's, with the call as its context and an eye on what comes in.
var _ grpc.ServerStream = (*call)(nil)

func (c *call) Context() context.Context        { return c }
func (c *call) SetHeader(md metadata.MD) error  { return c.stream.SetHeader(md) }
func (c *call) SendHeader(md metadata.MD) error { return c.stream.SendHeader(md) }
func (c *call) SetTrailer(md metadata.MD)       { c.stream.SetTrailer(md) }
func (c *call) SendMsg(m any) error             { return c.messages().SendMsg(m) }

// messages is where the messages go and come from.
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

// refuseMessage notes why a message did not reach the handler. Of a stream that the client sends it is one of many, and
// the handler may go on: the call has failed by its caller if it ends with the error's code.
func (c *call) refuseMessage(reason Reason, err error) {
	switch {
	case !c.method.ClientStreams && !c.received:
		c.refuse(reason, "")
	case c.method.ClientStreams && err != io.EOF && reason.ofTheCaller(): //nolint:errorlint // streams return the value itself
		c.alter(func(rare *rareCall) { rare.unread = status.Code(err) })
	}
}

// unread reports whether a stream ends with code because its client has sent what cannot be read.
func (c *call) unread(code codes.Code) bool {
	rare := c.rare.Load()
	return rare != nil && rare.unread == code && code != codes.OK
}

// receive has a message of gRPC looked at before it is decoded, where the method has a limit of its own.
func (c *call) receive(m any) error {
	if c.method.MaxRequest == 0 || c.http != nil {
		return c.messages().RecvMsg(m)
	}
	message, ok := m.(proto.Message)
	if !ok {
		return c.messages().RecvMsg(m)
	}
	bounded := &boundedMessage{Message: message, limit: c.method.MaxRequest}
	err := c.messages().RecvMsg(bounded)
	if err == nil && bounded.size > 0 {
		return tooLarge(bounded.size, bounded.limit)
	}
	return err
}

// The context of the handler is the transport's, with the deadline of the method, the span and the call itself.
var _ context.Context = (*call)(nil)

// Value answers from the call's own fields what the pass knows; the rest is the transport's.
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

// values answers what the pass does not know: the stream's context, with the caller's baggage in it if there is any.
func (c *call) values() context.Context {
	if rare := c.rare.Load(); rare != nil && rare.baggage != nil {
		return rare.baggage
	}
	return c.stream.Context()
}

// String names the context where it is printed, as gRPC does in errors. Without it fmt would print all that is in it.
func (c *call) String() string { return "call of " + c.method.Name }

// GoString is String.
func (c *call) GoString() string { return c.String() }

// Deadline is the earlier of the caller's and the method's.
func (c *call) Deadline() (time.Time, bool) {
	if c.deadline.after > 0 {
		return c.deadline.at(c.start), true
	}
	return c.parent.Deadline()
}

// Done arms the method's deadline when it is first asked for: a handler that never waits never pays for a timer. A
// stream gets a context that a stop can end.
func (c *call) Done() <-chan struct{} {
	if c.deadline.own() {
		return c.deadline.arm(c.parent, c.start).Done()
	}
	return c.parent.Done()
}

// Err follows Done, and tells of a deadline that has passed even where nobody asked for Done.
func (c *call) Err() error {
	if c.deadline.own() {
		return c.deadline.err(c.parent, c.start)
	}
	return c.parent.Err()
}

// refuse notes why a call does not reach its handler. Explain is for operators and may be empty.
func (c *call) refuse(reason Reason, explain string) {
	c.alter(func(rare *rareCall) { rare.refused, rare.explain, rare.audited = reason, explain, false })
}

// note keeps for operators what became of a call that was not refused, unless something is noted already.
func (c *call) note(what string) {
	c.alter(func(rare *rareCall) {
		if rare.explain == "" {
			rare.explain = what
		}
	})
}

// requested returns the method that the caller named, which for an unknown one is not the record's.
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

// wouldDeny is the reason for which a caller would be denied that the audit mode of authorization has let in.
func (c *call) wouldDeny() string {
	if rare := c.rare.Load(); rare != nil {
		return string(rare.wouldDeny)
	}
	return ""
}

// Criticality is what the call is worth.
func (c *call) Criticality() contract.Criticality { return c.place.Worth }

// outside reports whether the caller has proved no identity of the own trust domain. Where mutual TLS is off, no
// caller has.
func (c *call) outside() bool { return !contract.InDomain(c.caller.ID, c.method.server.trustDomain) }
