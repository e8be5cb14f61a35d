// Package echo is a gRPC and REST service for the tests of the chassis. It is written by hand in
// the form of generated code, because this module has no generated service of its own.
package echo

import (
	"context"
	"errors"
	"io"
	"net/http"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The methods' names on the wire.
const (
	SayMethod  = "/test.v1.EchoService/Say"
	ListMethod = "/test.v1.EchoService/List"
)

// Text is the message of every method.
type Text = wrapperspb.StringValue

// Service is the implementation. A nil method echoes its request, List three times.
type Service struct {
	OnSay  func(ctx context.Context, text string) (string, error)
	OnList func(ctx context.Context, text string, send func(string) error) error
}

// Say answers once.
func (s *Service) Say(ctx context.Context, in *Text) (*Text, error) {
	if s.OnSay == nil {
		return wrapperspb.String(in.GetValue()), nil
	}
	answer, err := s.OnSay(ctx, in.GetValue())
	if err != nil {
		return nil, err
	}
	return wrapperspb.String(answer), nil
}

// List answers several times.
func (s *Service) List(in *Text, stream grpc.ServerStreamingServer[Text]) error {
	send := func(text string) error { return stream.Send(wrapperspb.String(text)) }
	if s.OnList != nil {
		return s.OnList(stream.Context(), in.GetValue(), send)
	}
	for range 3 {
		if err := send(in.GetValue()); err != nil {
			return err
		}
	}
	return nil
}

type server interface {
	Say(context.Context, *Text) (*Text, error)
	List(*Text, grpc.ServerStreamingServer[Text]) error
}

// Desc describes the service.
var Desc = grpc.ServiceDesc{
	ServiceName: "test.v1.EchoService",
	HandlerType: (*server)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: sayHandler}},
	Streams:     []grpc.StreamDesc{{StreamName: "List", Handler: listHandler, ServerStreams: true}},
}

func sayHandler(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // the generators' order
	in := new(Text)
	if err := decode(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return srv.(server).Say(ctx, in)
	}
	handler := func(ctx context.Context, req any) (any, error) { return srv.(server).Say(ctx, req.(*Text)) }
	return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: SayMethod}, handler)
}

func listHandler(srv any, stream grpc.ServerStream) error {
	in := new(Text)
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	return srv.(server).List(in, &grpc.GenericServerStream[Text, Text]{ServerStream: stream})
}

// Say calls Say.
func Say(ctx context.Context, cc grpc.ClientConnInterface, text string, opts ...grpc.CallOption) (string, error) {
	out := new(Text)
	err := cc.Invoke(ctx, SayMethod, wrapperspb.String(text), out, opts...)
	return out.GetValue(), err
}

// List calls List.
func List(ctx context.Context, cc grpc.ClientConnInterface, text string, opts ...grpc.CallOption) (grpc.ServerStreamingClient[Text], error) {
	stream, err := cc.NewStream(ctx, &Desc.Streams[0], ListMethod, opts...)
	if err != nil {
		return nil, err
	}
	x := &grpc.GenericClientStream[Text, Text]{ClientStream: stream}
	if err := x.SendMsg(wrapperspb.String(text)); err != nil {
		return nil, err
	}
	return x, x.CloseSend()
}

// ListAll calls List and returns every answer.
func ListAll(ctx context.Context, cc grpc.ClientConnInterface, text string) ([]string, error) {
	stream, err := List(ctx, cc, text)
	if err != nil {
		return nil, err
	}
	for answers := []string(nil); ; {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return answers, nil
		}
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer.GetValue())
	}
}

// RegisterGateway serves POST /v1/say, whose body is a JSON string, and GET /v1/list/{text}.
func RegisterGateway(_ context.Context, mux *gateway.ServeMux, conn *grpc.ClientConn) error {
	return errors.Join(
		mux.HandlePath(http.MethodPost, "/v1/say", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
			in, out := gateway.MarshalerForRequest(mux, r)
			ctx, err := gateway.AnnotateContext(r.Context(), mux, r, SayMethod, gateway.WithHTTPPathPattern("/v1/say"))
			if err != nil {
				gateway.HTTPError(ctx, mux, out, w, r, err)
				return
			}
			answer, md, err := say(ctx, conn, in, r)
			ctx = gateway.NewServerMetadataContext(ctx, md)
			if err != nil {
				gateway.HTTPError(ctx, mux, out, w, r, err)
				return
			}
			gateway.ForwardResponseMessage(ctx, mux, out, w, r, answer)
		}),
		mux.HandlePath(http.MethodGet, "/v1/list/{text}", func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			_, out := gateway.MarshalerForRequest(mux, r)
			ctx, err := gateway.AnnotateContext(ctx, mux, r, ListMethod, gateway.WithHTTPPathPattern("/v1/list/{text}"))
			if err != nil {
				gateway.HTTPError(ctx, mux, out, w, r, err)
				return
			}
			stream, md, err := list(ctx, conn, params["text"])
			ctx = gateway.NewServerMetadataContext(ctx, md)
			if err != nil {
				gateway.HTTPError(ctx, mux, out, w, r, err)
				return
			}
			gateway.ForwardResponseStream(ctx, mux, out, w, r, func() (proto.Message, error) { return stream.Recv() })
		}),
	)
}

func say(ctx context.Context, conn *grpc.ClientConn, in gateway.Marshaler, r *http.Request) (*Text, gateway.ServerMetadata, error) {
	var md gateway.ServerMetadata
	text := new(Text)
	if err := in.NewDecoder(r.Body).Decode(text); err != nil && !errors.Is(err, io.EOF) {
		return nil, md, status.Errorf(codes.InvalidArgument, "%v", err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	answer := new(Text)
	err := conn.Invoke(ctx, SayMethod, text, answer, grpc.Header(&md.HeaderMD), grpc.Trailer(&md.TrailerMD))
	return answer, md, err
}

func list(ctx context.Context, conn *grpc.ClientConn, text string) (grpc.ServerStreamingClient[Text], gateway.ServerMetadata, error) {
	var header metadata.MD
	stream, err := List(ctx, conn, text)
	if err == nil {
		header, err = stream.Header()
	}
	return stream, gateway.ServerMetadata{HeaderMD: header}, err
}
