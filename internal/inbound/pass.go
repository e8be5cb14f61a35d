package inbound

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/timeouts"
)

// Serve runs one call of m. It has the signature of grpc.StreamHandler. srv is ignored, because
// the handler has its own.
func (m *Method) Serve(_ any, stream grpc.ServerStream) (err error) {
	c := &call{stream: stream, method: m, start: time.Now()}
	c.parent = stream.Context()
	c.begin()
	defer func() {
		var panicked any
		if !c.returned {
			panicked = recover()
		}
		err = c.end(err, panicked)
		if !c.returned && panicked == nil && c.http == nil {
			writeStatus(c.parent, err) // its goroutine ends, and gRPC's part of it: the caller would wait until its deadline
		}
	}()
	if err = c.admit(); err == nil {
		err = m.handler(c)
	}
	c.returned = true
	return err
}

// begin starts the observation of the call, which encloses all other steps, and sets its
// deadline.
func (c *call) begin() {
	c.method.metrics.traffic.inFlight.Add(1)
	timeout := c.method.Timeout
	if s := restOf(c.stream); s != nil {
		c.http, timeout = s.http, timeouts.Earlier(timeout, s.timeout)
		c.method.metrics.traffic.byREST.Add(1)
	}
	c.deadline.set(c.parent, c.start, timeout)
	beginTrace(c)
	if !c.method.Unary() {
		c.deadline.stream = true
		c.method.server.streams.begin(c)
	}
}

// admit takes the steps that may refuse a call before its handler runs, in the order of the
// package's list.
func (c *call) admit() error {
	if err := begins(c); err != nil {
		return err
	}
	if err := c.decide(); err != nil {
		return err
	}
	if err := waitForPlace(c); err != nil {
		return err
	}
	return auditBegin(c)
}

// decide uses the decision made before the message was read, as by REST, or decides now.
func (c *call) decide() error {
	d, ahead := c.http.takeAhead(c.method)
	if !ahead {
		d = decide(c, c.parent, c.method, c.http, c.start)
	}
	c.caller = d.caller
	if !d.until.IsZero() && !c.method.Unary() {
		c.method.server.streams.until(c, d.until)
	}
	switch {
	case d.err != nil:
		c.refuse(d.reason, d.explain)
		if d.former != "" {
			c.alter(func(rare *rareCall) { rare.former = d.former })
		}
	case d.audited != "":
		c.alter(func(rare *rareCall) { rare.explain, rare.audited, rare.wouldDeny = d.explain, true, d.audited })
	}
	c.decided = d.err == nil
	return d.err
}

// end is the part of the pass after the handler. It returns the error for the caller.
func (c *call) end(err error, panicked any) error {
	elapsed := time.Since(c.start)
	var ended error
	if !c.method.Unary() {
		ended = c.method.server.streams.end(c)
	}
	if ended == nil {
		ended = cutBy(c)
	}
	c.byCaller = err != nil && panicked == nil && ended == nil && abandoned(c, elapsed)
	out := conclude(c, err, panicked, ended)
	if panicked == nil && ended == nil && timedOut(c.http) {
		out = outcome{codes.DeadlineExceeded, status.FromContextError(context.DeadlineExceeded).Err()}
	}
	explainDeadline(c, out)
	leavePlace(c, c.start.Add(elapsed))
	c.deadline.stop()
	pushBack(c, out)
	out = fitStatus(c, out)
	reportLoad(c, out, elapsed)
	c.method.metrics.observe(c, out.code, elapsed)
	endTrace(c, out)
	logCall(c, out, elapsed)
	if c.method.server.cfg.Audit != nil {
		auditEnd(c, out, elapsed)
	}
	if restOf(c.stream) != nil {
		c.method.metrics.traffic.byREST.Add(-1)
	}
	c.method.metrics.traffic.inFlight.Add(-1)
	return out.err
}
