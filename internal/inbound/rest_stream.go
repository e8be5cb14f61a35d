package inbound

import (
	"context"
	"errors"
	"io"
	"net/http"
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
		single:     !desc.ServerStreams,
		requests:   make(chan proto.Message),
		answers:    make(chan restAnswer, answersAhead(desc)),
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
		s.http.body.pipe = s
		s.duplex()
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

// answersAhead is how many answers wait for the gateway. The one of a client's stream does, because
// the gateway asks for it when it has sent all, and the handler may come first.
func answersAhead(desc *grpc.StreamDesc) int {
	if desc.ServerStreams {
		return 0
	}
	return 1
}

// duplex lets a stream both ways be read while it is answered. By HTTP/1 net/http would otherwise
// end the body with the first answer, and its other messages would be lost.
func (s *restPipe) duplex() {
	if !s.one && !s.single {
		_ = s.http.EnableFullDuplex() // HTTP/2 has it always, and a writer in memory not at all
	}
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
	one      bool                  // the gateway sends one message
	single   bool                  // the handler answers once
	answered atomic.Int32          // how often, where it should be once
	spoiled  atomic.Pointer[error] // why the gateway cannot read the next message
	requests chan proto.Message    // from the gateway
	answers  chan restAnswer       // from the handler
	closed   chan struct{}         // closed when the gateway sends no more
	done     chan struct{}         // closed when the handler has returned, and err is set
	ended    chan struct{}         // closed when the stream is ended from outside, whatever its handler does, and why is set
	why      error
	err      error
	received bool        // the caller has had a message
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

// RecvMsg returns an answer. If the handler answers once, it returns with the handler, as with any
// grpc.ClientStream: what follows the answer may be an error.
func (s *restPipe) RecvMsg(m any) error {
	if s.received && s.headOnly() {
		return io.EOF
	}
	answer, err := s.receive()
	if err != nil {
		return err
	}
	if err := s.take(m, answer); err != nil || !s.single {
		return err
	}
	if _, err := s.receive(); err != io.EOF { //nolint:errorlint // receive returns the value itself
		return err
	}
	if s.answered.Load() > 1 {
		return errTwoAnswers
	}
	return nil
}

var errTwoAnswers = status.Error(codes.Internal, "the method has answered more than once")

// receive waits for an answer, or for the end of the stream, which is io.EOF without an error.
func (s *restPipe) receive() (restAnswer, error) {
	select {
	case answer := <-s.answers:
		return answer, nil
	case <-s.ended:
		return restAnswer{}, s.why
	case <-s.parent.Done():
		if err := s.whyOver(); err != nil {
			return restAnswer{}, err
		}
		select {
		case answer := <-s.answers:
			return answer, nil
		default:
		}
		cutIfBroken(s.http)
		if s.err != nil {
			return restAnswer{}, s.err
		}
		return restAnswer{}, io.EOF
	}
}

// spoil makes the handler's next RecvMsg fail with err, which is a status.
func (s *restPipe) spoil(err error) { s.spoiled.Store(&err) }

// headOnly reports whether the caller wants only the header of the answer, which is complete with
// the first message. The handler's context ends then.
func (s *restPipe) headOnly() bool {
	return s.http != nil && s.http.request.Method == http.MethodHead
}

// take moves an answer to the gateway's message m.
func (s *restPipe) take(m any, answer restAnswer) error {
	s.received = true
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
	s.handOver()
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
		if err := complete(request); err != nil {
			return err
		}
		return handover.Message(m, request)
	case <-s.closed:
		return s.unlessSpoiled(io.EOF)
	case <-s.ended:
		return s.why
	case <-s.parent.Done():
		return s.unlessSpoiled(s.whyOver())
	}
}

// unlessSpoiled returns the error of a message that cannot be read, else err. Behind such a message
// the gateway sends no more, and the handler must not take that for the end.
func (s *restPipe) unlessSpoiled(err error) error {
	if spoiled := s.spoiled.Load(); spoiled != nil {
		return *spoiled
	}
	return err
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
	if s.single && s.answered.Add(1) > 1 {
		return errTwoAnswers
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
