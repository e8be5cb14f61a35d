package inbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/handover"
	"github.com/betmakers/paddock/internal/timeouts"
)

// RESTConfig bounds REST calls.
type RESTConfig struct {
	// Timeout is for unary calls whose method declares none. It is answered with 504 even if the
	// handler ignores its context, like a declared one. Zero means none.
	Timeout time.Duration
	// MaxMessage is the largest answer in bytes of its binary encoding, as for gRPC. Zero means
	// no limit.
	MaxMessage int
	// Edge is what the port of the gateway serves besides it. Nil for nothing else.
	Edge *Edge
	// Options are the service's own for the gateway. They come after those of this package, and
	// replace them where both set the same.
	Options []gateway.ServeMuxOption
	// Metadata makes the metadata of a call from its HTTP request, when a handler asks for it.
	// Nil uses the metadata that the gateway has put into the context of the call.
	Metadata func(*http.Request) metadata.MD
	// Encode encodes an answer for its caller while the call runs. So a call whose answer cannot
	// be encoded fails with INTERNAL, in log and metric too. The gateway gets the result with
	// [encodedFor]. If nil, the gateway encodes, after the end of the call.
	Encode func(proto.Message) ([]byte, error)
	// Heartbeat is the time after which a stream of server-sent events without an event sends a
	// comment. Zero means never.
	Heartbeat time.Duration
}

// encodedFor returns the result of [RESTConfig].Encode for answer, if it is the newest answer of
// the request of ctx, else nil.
func encodedFor(ctx context.Context, answer proto.Message) []byte {
	if h := httpCallFrom(ctx); h != nil && answer != nil && h.answer == answer {
		return h.encoded
	}
	return nil
}

type restConn struct {
	server *Server
	cfg    RESTConfig
}

// Invoke makes a unary call.
func (c *restConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	request, ok1 := args.(proto.Message)
	answer, ok2 := reply.(proto.Message)
	if !ok1 || !ok2 {
		return status.Errorf(codes.Internal, "rest: messages of %s are %T and %T, not protobuf messages", method, args, reply)
	}
	s := newRESTStream(ctx, c.server, method, c.cfg)
	if err := s.http.refused(); err != nil {
		return err
	}
	m := c.method(method)
	s.request, s.answer = request, answer
	s.limit = m.TimeoutByREST(c.cfg.Timeout)
	if !s.over() {
		s.timeout = timeouts.Earlier(s.limit, s.timeout)
	}
	enterCall(s.http)
	defer leaveCall(s.http)
	timeout := answerAfter(s.http, s.timeout)
	defer timeout.stop() // a handler that ends its goroutine does not come back from Serve
	err := m.Serve(nil, s)
	if !timeout.stop() {
		return status.Error(codes.DeadlineExceeded, "answered already")
	}
	cutIfBroken(s.http)
	s.report(opts)
	s.handOver()
	return err
}

func (c *restConn) method(name string) *Method {
	if m := c.server.lookup(name); m != nil {
		return m
	}
	return c.server.unknown
}

// restStream is the transport of a REST call: it passes the message in each direction, and keeps
// headers and trailers. It is also the call's context. The gateway's outgoing metadata has become
// incoming, so that the calls which the handler makes do not send it.
type restStream struct {
	parent          context.Context // the gateway's
	keys            *contextKeys
	http            *httpCall // nil outside of an HTTP request
	name            string
	metadata        func(*http.Request) metadata.MD
	reading         sync.Once // guards incomingMD
	incomingMD      metadata.MD
	timeout         time.Duration // zero for none; negative where the caller waits no longer
	limit           time.Duration // the server's part of it
	maxMessage      int
	encode          func(proto.Message) ([]byte, error)
	request, answer proto.Message
	headers         chan struct{} // of a stream: closed when the header is complete

	mu              sync.Mutex // handlers may set them from several goroutines, as with gRPC
	header, trailer metadata.MD
	reply           *reply // nil for nothing
	sent            bool   // the header is on its way
}

var (
	_ context.Context            = (*restStream)(nil)
	_ grpc.ServerStream          = (*restStream)(nil)
	_ grpc.ServerTransportStream = restTransport{}
)

func newRESTStream(ctx context.Context, s *Server, method string, cfg RESTConfig) *restStream {
	stream := &restStream{parent: ctx, keys: &s.obs.keys, http: httpCallFrom(ctx), name: method, maxMessage: cfg.MaxMessage, encode: cfg.Encode}
	if h := stream.http; h != nil && h.refusal == nil {
		h.rpc, h.made = true, stream
		stream.metadata, stream.timeout = cfg.Metadata, h.left()
	}
	return stream
}

// restOf returns the restStream of a REST call, nil for a gRPC call.
func restOf(stream grpc.ServerStream) *restStream {
	if s, ok := stream.(interface{ rest() *restStream }); ok {
		return s.rest()
	}
	return nil
}

func (s *restStream) rest() *restStream           { return s }
func (s *restStream) Context() context.Context    { return s }
func (s *restStream) Deadline() (time.Time, bool) { return s.parent.Deadline() }
func (s *restStream) Done() <-chan struct{}       { return s.parent.Done() }

func (s *restStream) over() bool { return s.timeout < 0 }

func (s *restStream) Err() error {
	if s.over() {
		return context.DeadlineExceeded
	}
	return s.parent.Err()
}

// incoming is the metadata of the call.
func (s *restStream) incoming() metadata.MD {
	s.reading.Do(func() {
		if s.metadata != nil {
			s.incomingMD = s.metadata(s.http.request)
			return
		}
		s.incomingMD, _ = metadata.FromOutgoingContext(s.parent)
	})
	return s.incomingMD
}

// Value returns values like the context of a call from the network.
func (s *restStream) Value(key any) any {
	switch key {
	case s.keys.incoming:
		return s.incoming()
	case s.keys.outgoing:
		return nil
	case s.keys.transport:
		return restTransport{s}
	}
	return s.parent.Value(key)
}

// String names the context where it is printed.
func (s *restStream) String() string { return "REST call" }

// GoString is String.
func (s *restStream) GoString() string { return s.String() }

// RecvMsg moves the fields of the gateway's message to the handler. The gateway does not use them
// again.
func (s *restStream) RecvMsg(m any) error {
	if s.request == nil {
		return io.EOF
	}
	if err := complete(s.request); err != nil {
		return err
	}
	err := handover.Message(m, s.request)
	s.request = nil
	return err
}

func (s *restStream) SendMsg(m any) error {
	if err := s.checkSize(m); err != nil {
		return err
	}
	encoded, err := s.encoded(m)
	if err != nil {
		return err
	}
	s.headerComplete()
	keepAnswer(s.http, s.answer, encoded)
	return handover.Message(s.answer, m)
}

// encoded returns the encoded answer, nil if the gateway encodes it.
func (s *restStream) encoded(m any) ([]byte, error) {
	message, ok := m.(proto.Message)
	if !ok || s.encode == nil || s.http != nil && s.http.foreign {
		return nil, nil
	}
	encoded, err := s.encode(message)
	if err != nil {
		return nil, fmt.Errorf("rest: the answer cannot be written: %w", err) // no status: its text is for the log alone
	}
	return encoded, nil
}

// keepAnswer stores an answer in both forms for the gateway.
func keepAnswer(h *httpCall, answer proto.Message, encoded []byte) {
	if h != nil {
		h.answer, h.encoded = answer, encoded
	}
}

// checkSize applies the limit that gRPC has for an answer.
func (s *restStream) checkSize(m any) error {
	message, ok := m.(proto.Message)
	if !ok || s.maxMessage <= 0 {
		return nil
	}
	if size := proto.Size(message); size > s.maxMessage {
		return status.Errorf(codes.ResourceExhausted, "the answer is larger than the limit (%d against %d bytes)", size, s.maxMessage)
	}
	return nil
}

var errHeaderSent = errors.New("rest: the header is sent already")

func (s *restStream) SetHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent {
		return errHeaderSent
	}
	s.header = metadata.Join(s.header, md)
	return nil
}

func (s *restStream) SendHeader(md metadata.MD) error {
	if err := s.SetHeader(md); err != nil {
		return err
	}
	s.headerComplete()
	return nil
}

func (s *restStream) headerComplete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent {
		return
	}
	s.sent = true
	if s.headers != nil {
		close(s.headers)
	}
}

func (s *restStream) SetTrailer(md metadata.MD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trailer = metadata.Join(s.trailer, md)
}

// report sets header and trailer in the call options that ask for them.
func (s *restStream) report(opts []grpc.CallOption) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, opt := range opts {
		switch o := opt.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = s.header
		case grpc.TrailerCallOption:
			*o.TrailerAddr = s.trailer
		}
	}
}

// metadataOfAnswer returns the header and the trailer that the handler has set so far.
func (s *restStream) metadataOfAnswer() (header, trailer metadata.MD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header, s.trailer // SetHeader and SetTrailer replace them
}

// handOver gives the request what the handler has set of the HTTP answer.
func (s *restStream) handOver() {
	if s.http == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http.reply = s.reply
}

// restTransport implements grpc.SetHeader and similar functions, whose SetTrailer returns an
// error, unlike the stream's.
type restTransport struct{ s *restStream }

func (t restTransport) Method() string                  { return t.s.name }
func (t restTransport) SetHeader(md metadata.MD) error  { return t.s.SetHeader(md) }
func (t restTransport) SendHeader(md metadata.MD) error { return t.s.SendHeader(md) }
func (t restTransport) SetTrailer(md metadata.MD) error {
	t.s.SetTrailer(md)
	return nil
}

func newRESTConn(s *Server, cfg RESTConfig) grpc.ClientConnInterface {
	return &restConn{server: s, cfg: cfg}
}
