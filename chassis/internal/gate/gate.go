// Package gate is a gRPC and REST service for the tests of authorization. It has a unary method
// and a server stream for each way to declare callers. It is written by hand in the form of
// generated code.
package gate

import (
	"context"
	"errors"
	"net/http"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// Policies are the declarations of the methods, in the order of test tables. The unary method has
// the name of its policy, the stream that name and "Stream".
var Policies = []struct {
	Name   string
	Policy *paddockv1.Policy
}{
	{"Default", nil},
	{"Public", &paddockv1.Policy{Public: proto.Bool(true)}},
	{"Named", &paddockv1.Policy{Callers: []string{"web"}}},
	{"Globbed", &paddockv1.Policy{Callers: []string{"team-*"}}},
	{"Foreign", &paddockv1.Policy{Callers: []string{"spiffe://other.example/web"}}},
	{"Alice", &paddockv1.Policy{Callers: []string{"user:alice"}}},
	{"Anyone", &paddockv1.Policy{Callers: []string{"user:*"}}},
}

const serviceName = "test.gate.v1.GateService"

// Unary and Stream are the methods of a policy as they stand on the wire.
func Unary(policy string) string { return "/" + serviceName + "/" + policy }

// Stream is the server stream of a policy.
func Stream(policy string) string { return Unary(policy) + "Stream" }

// Desc describes the service, whose methods answer every authorized caller.
var Desc = describe()

func describe() *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: serviceName, HandlerType: (*any)(nil)}
	service := &descriptorpb.ServiceDescriptorProto{Name: proto.String("GateService")}
	for _, p := range Policies {
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: p.Name, Handler: serveUnary(p.Name)})
		desc.Streams = append(desc.Streams, grpc.StreamDesc{StreamName: p.Name + "Stream", Handler: serveStream, ServerStreams: true})
		service.Method = append(service.Method, method(p.Name, p.Policy, false), method(p.Name+"Stream", p.Policy, true))
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("test/gate/v1/gate.proto"), Package: proto.String("test.gate.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/empty.proto", "paddock/v1/options.proto"},
		Service:    []*descriptorpb.ServiceDescriptorProto{service},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		panic(err)
	}
	return desc
}

func method(name string, policy *paddockv1.Policy, stream bool) *descriptorpb.MethodDescriptorProto {
	empty := proto.String(".google.protobuf.Empty")
	m := &descriptorpb.MethodDescriptorProto{Name: proto.String(name), InputType: empty, OutputType: empty, ServerStreaming: proto.Bool(stream)}
	if policy != nil {
		m.Options = &descriptorpb.MethodOptions{}
		proto.SetExtension(m.GetOptions(), paddockv1.E_Method, policy)
	}
	return m
}

func serveUnary(policy string) grpc.MethodHandler {
	answer := func(_ context.Context, in any) (any, error) { return in, nil }
	info := &grpc.UnaryServerInfo{FullMethod: Unary(policy)}
	return func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := new(emptypb.Empty)
		if err := decode(in); err != nil || interceptor == nil {
			return in, err
		}
		return interceptor(ctx, in, info, answer)
	}
}

func serveStream(_ any, stream grpc.ServerStream) error {
	in := new(emptypb.Empty)
	return errors.Join(stream.RecvMsg(in), stream.SendMsg(in))
}

// RegisterGateway serves GET /unary/{policy} and GET /stream/{policy}.
func RegisterGateway(_ context.Context, mux *gateway.ServeMux, conn *grpc.ClientConn) error {
	return errors.Join(
		mux.HandlePath(http.MethodGet, "/unary/{policy}", route(mux, func(ctx context.Context, policy string) (*emptypb.Empty, error) {
			out := new(emptypb.Empty)
			return out, conn.Invoke(ctx, Unary(policy), new(emptypb.Empty), out)
		})),
		mux.HandlePath(http.MethodGet, "/stream/{policy}", route(mux, func(ctx context.Context, policy string) (*emptypb.Empty, error) {
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, Stream(policy))
			if err != nil {
				return nil, err
			}
			in := new(emptypb.Empty)
			out := new(emptypb.Empty)
			return out, errors.Join(stream.SendMsg(in), stream.CloseSend(), stream.RecvMsg(out))
		})),
	)
}

func route(mux *gateway.ServeMux, call func(ctx context.Context, policy string) (*emptypb.Empty, error)) gateway.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		_, out := gateway.MarshalerForRequest(mux, r)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		ctx, err := gateway.AnnotateContext(ctx, mux, r, Unary(params["policy"]))
		if err == nil {
			var answer *emptypb.Empty
			if answer, err = call(ctx, params["policy"]); err == nil {
				gateway.ForwardResponseMessage(ctx, mux, out, w, r, answer)
				return
			}
		}
		gateway.HTTPError(ctx, mux, out, w, r, err)
	}
}
