package middleware

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// NewStream starts a streaming call. Its handler runs in a goroutine that ends when the handler returns; the HTTP
// request it belongs to waits for it. ctx must end when the request does, as the gateway's does.
func (c *restConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	base := c.newStream(ctx, method)
	base.headers = make(chan struct{})
	s := &restPipe{
		restStream: base,
		one:        !desc.ClientStreams,
		requests:   make(chan proto.Message),
		answers:    make(chan proto.Message),
		closed:     make(chan struct{}),
		done:       make(chan struct{}),
		ended:      make(chan struct{}),
		err:        status.Error(codes.Internal, "the handler ended its goroutine"), // which leaves Serve without a return
	}
	m := c.method(method)
	s.http.enterCall()
	serve := func() {
		defer s.http.leaveCall()
		defer s.finish()
		s.err = m.Serve(nil, restPipeServer{s})
	}
	if s.http == nil {
		go serve()
	} else {
		s.http.streams.Go(serve)
	}
	return s, nil
}

// restPipe is the client's end of a stream by REST. As with any grpc.ClientStream, one goroutine may send while another
// receives.
type restPipe struct {
	*restStream
	one      bool               // the gateway sends one message
	requests chan proto.Message // from the gateway
	answers  chan proto.Message // from the handler
	closed   chan struct{}      // closed when the gateway sends no more
	done     chan struct{}      // closed when the handler has returned, and err is set
	ended    chan struct{}      // closed when a stop ends the stream, whatever its handler does
	err      error
	refused  error // err of a handler that ended before it had sent anything
}

var (
	_ grpc.ClientStream = (*restPipe)(nil)
	_ grpc.ServerStream = restPipeServer{}
)

// finish tells the gateway that the handler is gone.
func (s *restPipe) finish() {
	s.mu.Lock()
	if !s.sent {
		s.refused = s.err
	}
	s.mu.Unlock()
	s.headerComplete()
	close(s.done)
}

// hangUp ends the stream on both sides.
func (s *restPipe) hangUp() {
	close(s.ended)
	if s.http != nil {
		s.http.hangUp(!s.one)
	}
}

// whyOver tells why a stream is over whose handler has not returned.
func (s *restPipe) whyOver() error {
	select {
	case <-s.ended:
		return errDraining
	default:
		return status.FromContextError(s.parent.Err()).Err()
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
	case <-s.done:
	case <-s.ended:
	case <-s.parent.Done():
		return s.whyOver()
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
		return handOver(m, answer)
	case <-s.done:
		s.http.cutIfBroken()
		if s.err != nil {
			return s.err
		}
		return io.EOF
	case <-s.ended:
		return errDraining
	case <-s.parent.Done():
		return s.whyOver()
	}
}

// Header returns the error of a handler that ended before it had sent anything, unlike a grpc.ClientStream, which leaves
// it to RecvMsg: at this point the gateway can still answer with the error's own status and body.
func (s *restPipe) Header() (metadata.MD, error) {
	select {
	case <-s.headers:
		if s.refused != nil { // else the handler may still run
			s.http.cutIfBroken()
		}
		return s.header, s.refused
	case <-s.ended:
		return nil, errDraining
	case <-s.parent.Done():
		return nil, s.whyOver()
	}
}

// Trailer is complete once RecvMsg has returned an error.
func (s *restPipe) Trailer() metadata.MD {
	select {
	case <-s.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.trailer
	default:
		return nil
	}
}

// restPipeServer is the handler's end.
type restPipeServer struct{ *restPipe }

func (s restPipeServer) RecvMsg(m any) error {
	select {
	case request := <-s.requests:
		return handOver(m, request)
	case <-s.closed:
		return io.EOF
	case <-s.ended:
		return errDraining
	case <-s.parent.Done():
		return s.whyOver()
	}
}

// SendMsg copies the message: a handler may write to it again when SendMsg has returned, as many do.
func (s restPipeServer) SendMsg(m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "rest: %T is not a protobuf message", m)
	}
	if err := s.checkSize(m); err != nil {
		return err
	}
	s.headerComplete()
	select {
	case s.answers <- proto.Clone(message):
		return nil
	case <-s.ended:
		return errDraining
	case <-s.parent.Done():
		return s.whyOver()
	}
}
