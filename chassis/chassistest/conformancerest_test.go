package chassistest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// The routed service has a route of each method in its descriptor, as generated services have.
const routedName = "test.routed.v1.RoutedService"

var routes = []struct{ method, pattern, public string }{
	{"Open", "/v1/open", "public"},
	{"Find", "/v1/{name=things/*}/since/{since}", ""},
	{"Tree", "/v1/trees/{path=**}", ""},
}

var routedDesc = describeRouted()

func describeRouted() *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: routedName, HandlerType: (*any)(nil)}
	service := &descriptorpb.ServiceDescriptorProto{Name: proto.String("RoutedService")}
	route := httpOption()
	in, out := proto.String(".test.routed.v1.RoutedRequest"), proto.String(".google.protobuf.Empty")
	for _, r := range routes {
		options := &descriptorpb.MethodOptions{}
		rule := dynamicpb.NewMessage(route.TypeDescriptor().Message())
		rule.Set(rule.Descriptor().Fields().ByName("get"), protoreflect.ValueOfString(r.pattern))
		proto.SetExtension(options, route, rule)
		policy := &paddockv1.Policy{Callers: []string{"web"}}
		if r.public != "" {
			policy = &paddockv1.Policy{Public: proto.Bool(true)}
		}
		proto.SetExtension(options, paddockv1.E_Method, policy)
		service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String(r.method), InputType: in, OutputType: out, Options: options,
		})
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: r.method, Handler: answerEmpty("/" + routedName + "/" + r.method)})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("test/routed/v1/routed.proto"), Package: proto.String("test.routed.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/empty.proto", "google/protobuf/timestamp.proto", "paddock/v1/options.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("RoutedRequest"), Field: []*descriptorpb.FieldDescriptorProto{
			field("name", 1, descriptorpb.FieldDescriptorProto_TYPE_STRING, ""),
			field("path", 2, descriptorpb.FieldDescriptorProto_TYPE_STRING, ""),
			field("since", 3, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, ".google.protobuf.Timestamp"),
		}}},
		Service: []*descriptorpb.ServiceDescriptorProto{service},
	}, protoregistry.GlobalFiles)
	if err = errors.Join(err, protoregistry.GlobalFiles.RegisterFile(file)); err != nil {
		panic(err)
	}
	return desc
}

// httpOption is the option google.api.http as far as the test needs it: this module's binaries do
// not link it.
func httpOption() protoreflect.ExtensionType {
	http := field("http", 72295728, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, ".google.api.HttpRule")
	get := field("get", 2, descriptorpb.FieldDescriptorProto_TYPE_STRING, "")
	get.OneofIndex = proto.Int32(0)
	http.Extendee = proto.String(".google.protobuf.MethodOptions")
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("google/api/annotations.proto"), Package: proto.String("google.api"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/descriptor.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("HttpRule"), Field: []*descriptorpb.FieldDescriptorProto{get},
			OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: proto.String("pattern")}},
		}},
		Extension: []*descriptorpb.FieldDescriptorProto{http},
	}, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}
	option := dynamicpb.NewExtensionType(file.Extensions().Get(0))
	if err := protoregistry.GlobalTypes.RegisterExtension(option); err != nil {
		panic(err)
	}
	return option
}

func field(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, message string) *descriptorpb.FieldDescriptorProto {
	f := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	if message != "" {
		f.TypeName = proto.String(message)
	}
	return f
}

func routedRequest() proto.Message {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName("test.routed.v1.RoutedRequest")
	if err != nil {
		panic(err)
	}
	return dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
}

func answerEmpty(method string) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := routedRequest()
		if err := decode(in); err != nil {
			return nil, err
		}
		info := &grpc.UnaryServerInfo{FullMethod: method}
		return interceptor(ctx, in, info, func(context.Context, any) (any, error) { return new(emptypb.Empty), nil })
	}
}

// routed serves its routes by serve, each in the way of generated code if serve is nil.
func routed(serve map[string]gateway.HandlerFunc) chassis.Service {
	return chassis.Service{Name: "routed", Setup: func(ctx context.Context, app *chassis.App) error {
		app.RegisterService(routedDesc, nil)
		for _, h := range serve {
			if h == nil {
				app.WithoutGateway(routedName) // else the start fails for the route that is not served
			}
		}
		app.Gateway(ctx, func(_ context.Context, mux *gateway.ServeMux, conn *grpc.ClientConn) (err error) {
			for _, r := range routes {
				h, other := serve[r.method]
				switch {
				case !other:
					h = routeTo(mux, conn, "/"+routedName+"/"+r.method)
				case h == nil:
					continue
				}
				err = errors.Join(err, mux.HandlePath(http.MethodGet, r.pattern, h))
			}
			return err
		})
		return nil
	}}
}

func routeTo(mux *gateway.ServeMux, conn *grpc.ClientConn, method string) gateway.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		_, marshaler := gateway.MarshalerForRequest(mux, r)
		ctx, err := gateway.AnnotateContext(r.Context(), mux, r, method)
		if err == nil {
			err = conn.Invoke(ctx, method, routedRequest(), new(emptypb.Empty))
		}
		if err != nil {
			gateway.HTTPError(ctx, mux, marshaler, w, r, err)
		}
	}
}

func TestConformanceByREST(t *testing.T) {
	t.Parallel()
	chassistest.Conformance(t, routed(nil), chassistest.Options{})
}

// What keeps a route from being checked fails the check, which must not take it for a refusal.
func TestConformanceFailsForRoutesItCannotCheck(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	}
	broken := func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
		http.Error(w, "broken", http.StatusTeapot)
	}
	for _, test := range []struct {
		name  string
		serve map[string]gateway.HandlerFunc
		says  string
	}{
		{"the first route hangs up", map[string]gateway.HandlerFunc{"Open": hangUp}, "/v1/open: "},
		{"a later route hangs up", map[string]gateway.HandlerFunc{"Tree": hangUp}, "/v1/trees/1: "},
		{"something else answers", map[string]gateway.HandlerFunc{"Find": broken}, "/v1/things/1/since/2006-01-02T15:04:05Z: got status 418, want 401 or 403"},
		{"a public route does not get through", map[string]gateway.HandlerFunc{"Open": broken}, "nobody got to test.routed.v1.RoutedService/Open"},
		{"a route is not served", map[string]gateway.HandlerFunc{"Find": nil}, "not served, so that they cannot be checked: GET /v1/things/1/since/2006-01-02T15:04:05Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			failed := conforming(routed(test.serve), nil)
			if !strings.Contains(failed["nobody gets in by REST"], test.says) {
				t.Errorf("got %q, want %q in it", failed, test.says)
			}
		})
	}
}

// A caller without an identity who gets in by REST is found, and not only one who gets in by gRPC.
func TestConformanceFailsForNobodyByREST(t *testing.T) {
	t.Parallel()
	failed := conforming(routed(nil), map[string]string{"CHASSIS_AUTHORIZATION": "audit"})
	if want := "nobody got in to test.routed.v1.RoutedService/Tree"; !strings.Contains(failed["nobody gets in by REST"], want) {
		t.Errorf("got %q, want %q in it", failed, want)
	}
}
