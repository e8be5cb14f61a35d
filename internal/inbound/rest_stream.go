package inbound

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/handover"
	"github.com/betmakers/paddock/internal/timeouts"
)

// NewStream starts a streaming call. Its handler runs in a goroutine that ends when the handler
// returns. Its HTTP request waits for it until the time that the caller and the method allow is
// over. Then the caller is answered, whatever the handler does. ctx must end when the request
// does, like the gateway's.
func (c *restConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	base := newRESTStream(ctx, c.server, method, c.cfg)
	if err := base.http.refused(); err != nil {
		return nil, err
	}
	m := c.method(method)
	sent, err := newEvents(base.http, m, c.cfg.Heartbeat)
	if err != nil {
		return nil, err
	}
	base.headers = make(chan struct{})
	timeout := timeouts.Earlier(base.timeout, m.Timeout)
	s := &restPipe{
		restStream: base,
		one:        !desc.ClientStreams,
		requests:   make(chan proto.Message),
		answers:    make(chan restAnswer),
		closed:     make(chan struct{}),
		done:       make(chan struct{}),
		ended:      make(chan struct{}),
		err:        status.Error(codes.Internal, "the handler ended its goroutine"), // which leaves Serve without a return
	}
	if at := time.Now().Add(timeout); timeout > 0 && timeout == m.Timeout && isEarlier(ctx, at) {
		ctx = byMethod(ctx)
	}
	s.parent, s.cancel = timeouts.With(ctx, timeout)
	if s.http != nil {
		s.http.streams.Add(1)
		s.bound(timeout)
	}
	enterCall(s.http)
	go func() {
		defer leaveCall(s.http)
		defer s.finish()
		s.err = m.Serve(nil, restPipeServer{s})
	}()
	if sent != nil {
		return &eventPipe{s, sent}, nil
	}
	return s, nil
}

// bound ends the request with the call's time, if it has one: the reading of its body, and the
// wait for a handler that ignores its context.
func (s *restPipe) bound(timeout time.Duration) {
	if timeout <= 0 {
		return
	}
	context.AfterFunc(s.parent, func() {
		if !s.one && !s.handled() && errors.Is(s.parent.Err(), context.DeadlineExceeded) {
			endBody(s.http)
		}
		s.release()
	})
}

// release removes the bound, so that the request can end.
func (s *restPipe) release() {
	if s.http != nil && !s.released.Swap(true) {
		s.http.streams.Done()
	}
}

// restPipe is the client's end of a stream by REST. As with any grpc.ClientStream, one goroutine
// may send while another receives.
type restPipe struct {
	*restStream
	one      bool               // the gateway sends one message
	requests chan proto.Message // from the gateway
	answers  chan restAnswer    // from the handler
	closed   chan struct{}      // closed when the gateway sends no more
	done     chan struct{}      // closed when the handler has returned, and err is set
	ended    chan struct{}      // closed when the stream is ended from outside, whatever its handler does, and why is set
	why      error
	err      error
	refused  error       // err of a handler that ended before it had sent anything
	released atomic.Bool // the request does not wait for the handler any more
	cancel   func()      // of the parent, which ends behind done
}

var (
	_ grpc.ClientStream = (*restPipe)(nil)
	_ grpc.ServerStream = restPipeServer{}
)

// finish reports to the gateway that the handler has returned.
func (s *restPipe) finish() {
	s.mu.Lock()
	if !s.sent {
		s.refused = s.err
	}
	s.mu.Unlock()
	s.headerComplete()
	close(s.done)
	s.cancel()
	s.release()
}

// hangUp ends the stream on both sides.
func (s *restPipe) hangUp(why error) {
	s.why = why
	close(s.ended)
	if s.http != nil {
		hangUp(s.http, !s.one, why)
	}
}

// whyOver returns the reason for which a stream was ended before its handler has returned, else
// nil.
func (s *restPipe) whyOver() error {
	if s.handled() {
		return nil
	}
	select {
	case <-s.ended:
		return s.why
	default:
		return status.FromContextError(s.parent.Err()).Err()
	}
}

// handled reports whether the handler has returned, which also ends the context.
func (s *restPipe) handled() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *restPipe) SendMsg(m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "rest: %T is not a protobuf message", m)
	}
	select {
	case s.requests <- message:
		return nil
	case <-s.ended:
	case <-s.parent.Done():
		if err := s.whyOver(); err != nil {
			return err
		}
	}
	if s.one {
		return nil // as grpc.ClientStream has it: generated code sends, and then asks Header or RecvMsg how it went
	}
	return io.EOF
}

func (s *restPipe) CloseSend() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

func (s *restPipe) RecvMsg(m any) error {
	select {
	case answer := <-s.answers:
		return s.take(m, answer)
	case <-s.ended:
		return s.why
	case <-s.parent.Done():
		if err := s.whyOver(); err != nil {
			return err
		}
		cutIfBroken(s.http)
		if s.err != nil {
			return s.err
		}
		return io.EOF
	}
}

// take moves an answer to the gateway's message m.
func (s *restPipe) take(m any, answer restAnswer) error {
	if message, ok := m.(proto.Message); ok {
		keepAnswer(s.http, message, answer.encoded)
	}
	return handover.Message(m, answer.message)
}

// Header returns the error of a handler that ended before it sent anything, while a
// grpc.ClientStream leaves it to RecvMsg. At this point the gateway can still answer with the
// error's own status and body.
func (s *restPipe) Header() (metadata.MD, error) {
	select {
	case <-s.headers:
	case <-s.ended:
		return nil, s.why
	case <-s.parent.Done():
		if err := s.whyOver(); err != nil {
			return nil, err
		}
	}
	if s.refused != nil { // else the handler may still run
		cutIfBroken(s.http)
	}
	return s.header, s.refused
}

// Trailer is complete once RecvMsg has returned an error.
func (s *restPipe) Trailer() metadata.MD {
	if !s.handled() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trailer
}

// restAnswer is an answer in both forms.
type restAnswer struct {
	message proto.Message
	encoded []byte
}

// restPipeServer is the handler's end.
type restPipeServer struct{ *restPipe }

func (s restPipeServer) RecvMsg(m any) error {
	select {
	case request := <-s.requests:
		return handover.Message(m, request)
	case <-s.closed:
		return io.EOF
	case <-s.ended:
		return s.why
	case <-s.parent.Done():
		return s.whyOver()
	}
}

// SendMsg copies the message, because a handler may change it after SendMsg has returned.
func (s restPipeServer) SendMsg(m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "rest: %T is not a protobuf message", m)
	}
	if err := s.checkSize(m); err != nil {
		return err
	}
	encoded, err := s.encoded(m)
	if err != nil {
		return err
	}
	s.headerComplete()
	select {
	case s.answers <- restAnswer{proto.Clone(message), encoded}:
		return nil
	case <-s.ended:
		return s.why
	case <-s.parent.Done():
		return s.whyOver()
	}
}
