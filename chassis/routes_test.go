package chassis_test

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

	"github.com/betmakers/paddock/chassis"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

// declaring is a service with google.api.http options, as generated ones have them.
type declaring struct {
	name   string
	desc   *grpc.ServiceDesc
	routes []declaredRoute
}

type declaredRoute struct{ method, verb, path string }

var (
	httpRule = httpOption()

	shop   = declare("test.shop.v1.ShopService", declaredRoute{"Find", "get", "/v1/items/{value}"}, declaredRoute{"List", "get", "/v1/items"})
	double = declare("test.twin.v1.TwinService", declaredRoute{"Get", "get", "/v1/{value=items/*}"})
	wide   = declare("test.wide.v1.WideService", declaredRoute{"Any", "get", "/v1/{value=**}"})
	verb   = declare("test.verb.v1.VerbService", declaredRoute{"Sell", "post", "/v1/items/{value}:sell"}, declaredRoute{"Put", "put", "/v1/items/{value}"})
)

// httpOption is the option google.api.http as far as these tests need it: this module's binaries do
// not link it.
func httpOption() protoreflect.ExtensionType {
	text := func(name string, number int32) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: proto.String(name), Number: proto.Int32(number), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), OneofIndex: proto.Int32(0),
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("google/api/annotations.proto"), Package: proto.String("google.api"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/descriptor.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("HttpRule"), Field: []*descriptorpb.FieldDescriptorProto{text("get", 2), text("put", 3), text("post", 4)},
			OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: proto.String("pattern")}},
		}},
		Extension: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("http"), Number: proto.Int32(72295728), Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), TypeName: proto.String(".google.api.HttpRule"),
			Extendee: proto.String(".google.protobuf.MethodOptions"),
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}
	return dynamicpb.NewExtensionType(file.Extensions().Get(0))
}

func declare(name string, routes ...declaredRoute) declaring {
	pkg, short := name[:strings.LastIndexByte(name, '.')], name[strings.LastIndexByte(name, '.')+1:]
	desc, service := &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil)}, &descriptorpb.ServiceDescriptorProto{Name: &short}
	text := proto.String(".google.protobuf.StringValue")
	for _, r := range routes {
		options, rule := &descriptorpb.MethodOptions{}, dynamicpb.NewMessage(httpRule.TypeDescriptor().Message())
		rule.Set(rule.Descriptor().Fields().ByName(protoreflect.Name(r.verb)), protoreflect.ValueOfString(r.path))
		proto.SetExtension(options, httpRule, rule)
		service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{Name: proto.String(r.method), InputType: text, OutputType: text, Options: options})
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: r.method, Handler: func(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
			return nil, errors.New("no test calls it")
		}})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String(strings.ReplaceAll(name, ".", "/") + ".proto"), Package: &pkg, Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto"}, Service: []*descriptorpb.ServiceDescriptorProto{service},
	}, protoregistry.GlobalFiles)
	if err = errors.Join(err, protoregistry.GlobalFiles.RegisterFile(file)); err != nil {
		panic(err)
	}
	return declaring{name, desc, routes}
}

// gatewayTo registers the routes of services, each answered with its method's name. No start may
// call them.
func gatewayTo(services ...declaring) func(context.Context, *gateway.ServeMux, *grpc.ClientConn) error {
	return func(_ context.Context, mux *gateway.ServeMux, _ *grpc.ClientConn) (err error) {
		for _, s := range services {
			for _, r := range s.routes {
				err = errors.Join(err, mux.HandlePath(strings.ToUpper(r.verb), r.path, func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
					_, _ = w.Write([]byte(r.method))
				}))
			}
		}
		return err
	}
}

// part is a service without its first route.
func (d declaring) part() declaring { return declaring{d.name, d.desc, d.routes[1:]} }

func setsUpREST(setup func(context.Context, *chassis.App)) chassis.Service {
	return chassis.Service{Name: "bare", Setup: func(ctx context.Context, app *chassis.App) error {
		setup(ctx, app)
		return nil
	}}
}

func register(app *chassis.App, services ...declaring) {
	for _, s := range services {
		app.RegisterService(s.desc, nil)
	}
}

func TestRESTMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		setup func(context.Context, *chassis.App)
		want  []string
	}{
		"routes without a gateway": {func(_ context.Context, app *chassis.App) { register(app, shop) }, []string{
			"chassis: gRPC service test.shop.v1.ShopService declares GET /v1/items/{value}, GET /v1/items with google.api.http, but no gateway serves it: ",
			`call app.Gateway(ctx, RegisterShopServiceHandler), or app.WithoutGateway("test.shop.v1.ShopService") if the service is for gRPC only`,
		}},
		"the gateway of another service": {func(ctx context.Context, app *chassis.App) {
			register(app, shop, verb)
			app.Gateway(ctx, gatewayTo(verb))
		}, []string{"gRPC service test.shop.v1.ShopService declares GET /v1/items/{value}, GET /v1/items with google.api.http, but no gateway serves it"}},
		"routes below a catch-all": {func(_ context.Context, app *chassis.App) {
			register(app, shop)
			app.HandlePublic("/", http.NotFoundHandler())
		}, []string{"gRPC service test.shop.v1.ShopService declares"}},
		"a gateway that is older than the proto": {func(ctx context.Context, app *chassis.App) {
			register(app, shop)
			app.Gateway(ctx, gatewayTo(shop.part()))
		}, []string{"gRPC service test.shop.v1.ShopService declares GET /v1/items/{value} with google.api.http, but its gateway does not serve it: generate the gateway code again"}},
		"a gateway without its service": {func(ctx context.Context, app *chassis.App) {
			app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
		}, []string{
			"chassis: app.Gateway was called with RegisterVaultServiceHandler, but gRPC service vault.v1.VaultService is not registered, so every REST call would fail: ",
			"register the service, or remove its gateway",
		}},
		"two services on one route": {func(ctx context.Context, app *chassis.App) {
			register(app, shop, double)
			app.Gateway(ctx, gatewayTo(shop, double))
		}, []string{
			"chassis: test.shop.v1.ShopService/Find and test.twin.v1.TwinService/Get both declare the route GET /v1/{value=items/*}, and only one would get its requests: ",
			"change the google.api.http option of one",
		}},
		"a wider route that is tried first": {func(ctx context.Context, app *chassis.App) {
			register(app, shop, wide)
			app.Gateway(ctx, gatewayTo(shop), gatewayTo(wide))
		}, []string{
			"chassis: requests for GET /v1/items/{value} never reach test.shop.v1.ShopService/Find: /v1/{value=**} of test.wide.v1.WideService/Any gets them",
			"requests for GET /v1/items never reach test.shop.v1.ShopService/List", "declare the wider one first",
		}},
		"the same pattern of Handle": {func(ctx context.Context, app *chassis.App) {
			register(app, shop)
			app.Gateway(ctx, gatewayTo(shop))
			app.Handle("GET /v1/items/{id}", http.NotFoundHandler())
		}, []string{`chassis: requests for GET /v1/items/{value} never reach test.shop.v1.ShopService/Find: the pattern "GET /v1/items/{id}" of app.Handle gets them; change one of the two`}},
		"a wider pattern of Handle": {func(ctx context.Context, app *chassis.App) {
			register(app, shop)
			app.Gateway(ctx, gatewayTo(shop))
			app.HandlePublic("/v1/", http.NotFoundHandler())
		}, []string{`never reach test.shop.v1.ShopService/Find: the pattern "/v1/" of app.Handle`, "never reach test.shop.v1.ShopService/List"}},
		"a pattern of Handle that redirects": {func(ctx context.Context, app *chassis.App) {
			register(app, shop)
			app.Gateway(ctx, gatewayTo(shop))
			app.HandlePublic("/v1/items/", http.NotFoundHandler())
		}, []string{`GET /v1/items never reach test.shop.v1.ShopService/List: the pattern "/v1/items/" of app.Handle`}},
		"without the gateway of no service": {func(_ context.Context, app *chassis.App) {
			register(app, shop)
			app.WithoutGateway("test.shop.v1.ShopService", "ShopService")
		}, []string{`chassis: app.WithoutGateway was called with "ShopService", which is not registered: write the full name of the service`}},
		"with and without a gateway": {func(ctx context.Context, app *chassis.App) {
			vaultv1.RegisterVaultServiceServer(app, &vault{})
			app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
			app.WithoutGateway("vault.v1.VaultService")
		}, []string{"app.Gateway was called with RegisterVaultServiceHandler, and app.WithoutGateway with vault.v1.VaultService: remove one of them"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectAll(t, startError(t, setsUpREST(test.setup), nil), test.want...)
		})
	}
}

// What does nothing wrong starts, and is served by what it was meant for.
func TestRESTThatIsMeant(t *testing.T) {
	t.Parallel()
	answers := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	for name, test := range map[string]struct {
		setup func(context.Context, *chassis.App)
		want  map[string]string // answers by "METHOD path"
	}{
		"a gateway": {func(ctx context.Context, app *chassis.App) {
			register(app, shop, verb)
			app.Gateway(ctx, gatewayTo(shop), gatewayTo(verb))
		}, map[string]string{"GET /v1/items/7": "Find", "GET /v1/items": "List", "POST /v1/items/7:sell": "Sell", "PUT /v1/items/7": "Put"}},
		"a gateway before its service": {func(ctx context.Context, app *chassis.App) {
			app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler, gatewayTo(shop))
			register(app, shop)
			vaultv1.RegisterVaultServiceServer(app, &vault{})
		}, map[string]string{"GET /v1/items": "List"}},
		"gRPC alone": {func(_ context.Context, app *chassis.App) {
			register(app, shop)
			app.WithoutGateway("test.shop.v1.ShopService", "test.shop.v1.ShopService")
		}, nil},
		"gRPC alone beside a gateway": {func(ctx context.Context, app *chassis.App) {
			register(app, shop, double)
			app.WithoutGateway("test.twin.v1.TwinService")
			app.Gateway(ctx, gatewayTo(shop))
		}, map[string]string{"GET /v1/items/7": "Find"}},
		"another server of the routes": {func(_ context.Context, app *chassis.App) {
			register(app, shop)
			app.WithoutGateway("test.shop.v1.ShopService")
			app.HandlePublic("/", answers("proxy"))
		}, map[string]string{"GET /v1/items/7": "proxy"}},
		"routes by hand": {func(_ context.Context, app *chassis.App) {
			register(app, shop)
			app.HandlePublic("GET /v1/items/{id}", answers("found"))
			app.HandlePublic("GET /v1/items", answers("all"))
		}, map[string]string{"GET /v1/items/7": "found", "GET /v1/items": "all"}},
		"a gateway by hand, of no service": {func(ctx context.Context, app *chassis.App) {
			app.Gateway(ctx, gatewayTo(verb))
		}, map[string]string{"PUT /v1/items/7": "Put"}},
		"a wider route that is tried last": {func(ctx context.Context, app *chassis.App) {
			register(app, wide, shop)
			app.Gateway(ctx, gatewayTo(wide), gatewayTo(shop))
		}, map[string]string{"GET /v1/items/7": "Find", "GET /v1/items/7/parts": "Any"}},
		"a pattern of Handle for one item": {func(ctx context.Context, app *chassis.App) {
			register(app, shop)
			app.Gateway(ctx, gatewayTo(shop))
			app.HandlePublic("GET /v1/items/special", answers("special"))
		}, map[string]string{"GET /v1/items/special": "special", "GET /v1/items/7": "Find"}},
		"a pattern of Handle for another method": {func(ctx context.Context, app *chassis.App) {
			register(app, shop)
			app.Gateway(ctx, gatewayTo(shop))
			app.HandlePublic("DELETE /v1/items/{id}", answers("deleted"))
			app.HandlePublic("other.example/v1/", answers("elsewhere"))
		}, map[string]string{"DELETE /v1/items/7": "deleted", "GET /v1/items/7": "Find"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := start(t, setsUpREST(test.setup), nil)
			for call, want := range test.want {
				method, path, _ := strings.Cut(call, " ")
				if got := do(t, svc.HTTP(), method, "http://rest"+path, ""); got.body != want {
					t.Errorf("%s: got %s, want %s", call, got, want)
				}
			}
		})
	}
}

// The description of the API goes before the service's own patterns, which is told.
func TestPatternThatTheDescriptionHides(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]int{"true": 1, "false": 0} {
		svc := start(t, setsUpREST(func(ctx context.Context, app *chassis.App) {
			register(app, shop)
			app.Gateway(ctx, gatewayTo(shop))
			app.Handle("GET /docs/", http.NotFoundHandler())
		}), env{"CHASSIS_HTTP_DOCS": setting})
		if lines := svc.Logs("the API pages hide a pattern of app.Handle: choose another path, or set CHASSIS_HTTP_DOCS=false"); len(lines) != want {
			t.Errorf("CHASSIS_HTTP_DOCS=%s: got the lines %v, want %d", setting, lines, want)
		}
	}
}

// What is for gRPC alone is not in the description of the API.
func TestOpenAPIHasNoRoutesWithoutGateway(t *testing.T) {
	t.Parallel()
	svc := start(t, setsUpREST(func(ctx context.Context, app *chassis.App) {
		register(app, shop, verb)
		app.Gateway(ctx, gatewayTo(verb))
		app.WithoutGateway(shop.name)
	}), nil)
	document := do(t, svc.HTTP(), "GET", "http://rest/openapi.json", "").body
	if !strings.Contains(document, "VerbService") || strings.Contains(document, "ShopService") {
		t.Errorf("want VerbService and no ShopService in %s", document)
	}
}
