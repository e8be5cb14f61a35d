package middleware_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/middleware"
)

const get = "/test.v1.Shop/Get"

type (
	text    = wrapperspb.StringValue
	handler func(ctx context.Context, in *text) (*text, error)
)

// shop is a service as generated code describes it.
var shop = grpc.ServiceDesc{
	ServiceName: "test.v1.Shop", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Get", Handler: func(impl any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		in := new(text)
		if err := decode(in); err != nil || interceptor == nil {
			return answer(ctx, impl, in, err)
		}
		return interceptor(ctx, in, &grpc.UnaryServerInfo{FullMethod: get}, func(ctx context.Context, in any) (any, error) {
			return answer(ctx, impl, in.(*text), nil)
		})
	}}},
}

func answer(ctx context.Context, impl any, in *text, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return impl.(handler)(ctx, in)
}

// serve runs the shop as a service with a main of its own does.
func serve(t *testing.T, pass *middleware.Server, h handler, opts ...grpc.ServerOption) (addr string) {
	t.Helper()
	return serveAll(t, pass, func(r grpc.ServiceRegistrar) { r.RegisterService(&shop, h) }, opts...)
}

func serveAll(t *testing.T, pass *middleware.Server, register func(grpc.ServiceRegistrar), opts ...grpc.ServerOption) (addr string) {
	t.Helper()
	server := grpc.NewServer(append(pass.Options(), opts...)...)
	register(pass.Registrar(server))
	if err := pass.Err(); err != nil {
		t.Fatal(err)
	}
	return listen(t, server)
}

func listen(t *testing.T, server *grpc.Server) (addr string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-done })
	return listener.Addr().String()
}

func newServer(t *testing.T, cfg middleware.Config) *middleware.Server {
	t.Helper()
	pass, err := middleware.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return pass
}

func call(t *testing.T, addr, method, in string, opts ...grpc.DialOption) (string, error) {
	t.Helper()
	conn, err := grpc.NewClient(addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	out, header, trailer := new(text), metadata.MD{}, metadata.MD{}
	err = conn.Invoke(t.Context(), method, wrapperspb.String(in), out, grpc.Header(&header), grpc.Trailer(&trailer))
	return out.GetValue() + strings.Join(append(header.Get("a"), trailer.Get("b")...), ""), err
}

var plain = grpc.WithTransportCredentials(insecure.NewCredentials())

// count returns how many observations or what count a metric has, of the series with a label value.
func count(t *testing.T, registry *prometheus.Registry, metric, value string) (total float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if family.GetName() == metric && label.GetValue() == value {
					total += float64(m.GetHistogram().GetSampleCount()) + m.GetCounter().GetValue()
					break
				}
			}
		}
	}
	return total
}

// A call is measured, a panic is answered for, and what is invented has one name.
func TestServerObserves(t *testing.T) {
	leakcheck.Check(t)
	registry, intercepted := prometheus.NewRegistry(), 0
	pass := newServer(t, middleware.Config{
		Registerer: registry, Timeout: time.Minute,
		Validate: func(m proto.Message) error {
			if m.(*text).GetValue() == "bad" {
				return status.Error(codes.InvalidArgument, "no such thing")
			}
			return nil
		},
	})
	addr := serve(t, pass, func(ctx context.Context, in *text) (*text, error) {
		if in.GetValue() == "panic" {
			panic("secret")
		}
		if _, limited := ctx.Deadline(); !limited {
			t.Error("the handler has no deadline")
		}
		if err := errors.Join(grpc.SetHeader(ctx, metadata.Pairs("a", "1")), grpc.SetTrailer(ctx, metadata.Pairs("b", "2"))); err != nil {
			t.Error(err)
		}
		return in, nil
	}, grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		intercepted++
		if in.(*text).GetValue() == "stranger" && info.FullMethod == get {
			return nil, status.Error(codes.PermissionDenied, "by the service's own interceptor")
		}
		return next(ctx, in)
	}))
	for in, want := range map[string]codes.Code{"tea": codes.OK, "bad": codes.InvalidArgument, "panic": codes.Internal, "stranger": codes.PermissionDenied} {
		if out, err := call(t, addr, get, in, plain); status.Code(err) != want || err == nil && out != in+"12" || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %q, %v", in, out, err)
		}
	}
	if _, err := call(t, addr, "/invented.Service/Method", "", plain); status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method: %v", err)
	}
	for value, want := range map[string]float64{get[1:]: 4, "_OTHER": 1} {
		if got := count(t, registry, "rpc_server_call_duration_seconds", value); got != want {
			t.Errorf("%s has %v calls, want %v", value, got, want)
		}
	}
	if intercepted != 3 { // not that which is not valid
		t.Errorf("the interceptor ran %d times", intercepted)
	}
	if _, err := middleware.NewServer(middleware.Config{Registerer: registry}); err == nil {
		t.Error("a second one takes the same metrics")
	}
}

// With crypto/tls alone the caller is what a verified certificate says, and a claim is none.
func TestServerKnowsCallers(t *testing.T) {
	ca, stranger := newCA(t), newCA(t)
	for name, test := range map[string]struct {
		cfg    middleware.Config
		verify bool
		signer *authority
		id     string
		want   codes.Code
	}{
		"own domain":            {middleware.Config{TrustDomain: "shop"}, true, ca, "spiffe://shop/web", codes.OK},
		"another domain":        {middleware.Config{TrustDomain: "shop"}, true, ca, "spiffe://street/web", codes.PermissionDenied},
		"another, reported":     {middleware.Config{TrustDomain: "shop", ReportOnly: true, Admission: true}, true, ca, "spiffe://street/web", codes.OK},
		"a claim, not verified": {middleware.Config{TrustDomain: "shop"}, false, stranger, "spiffe://shop/web", codes.Unauthenticated},
		"no domain":             {middleware.Config{Admission: true}, false, stranger, "spiffe://shop/web", codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			var seen middleware.Caller
			addr := serve(t, newServer(t, test.cfg), func(ctx context.Context, in *text) (*text, error) {
				seen = middleware.CallerOf(ctx)
				return in, nil
			}, grpc.Creds(credentials.NewTLS(ca.server(t, test.verify))))
			_, err := call(t, addr, get, "tea", grpc.WithTransportCredentials(credentials.NewTLS(ca.client(t, test.signer, test.id))))
			if status.Code(err) != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if want := test.id; err == nil && test.verify && seen.ID != want || !test.verify && seen.ID != "" {
				t.Errorf("the handler sees %q", seen.ID)
			}
		})
	}
}

// HTTP requests are measured by their route, and stop with the service.
func TestServerHTTP(t *testing.T) {
	registry := prometheus.NewRegistry()
	pass := newServer(t, middleware.Config{Registerer: registry, Logger: slog.New(slog.DiscardHandler)})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bets/{id}", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-middleware.Draining(r.Context()):
			_, _ = io.WriteString(w, "draining")
		default:
			_, _ = io.WriteString(w, "open")
		}
	})
	h := pass.HTTP(mux)
	for _, want := range []string{"open", "draining"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/bets/1", nil))
		if w.Body.String() != want {
			t.Errorf("got %q, want %q", w.Body, want)
		}
		pass.Drain()
	}
	if got := count(t, registry, "http_server_request_duration_seconds", "/bets/{id}"); got != 2 {
		t.Errorf("%v requests counted", got)
	}
	if middleware.Draining(t.Context()) != nil || middleware.CallerOf(t.Context()) != (middleware.Caller{}) {
		t.Error("a context of no call has something to tell")
	}
}

// A call that is made within another is measured, goes on in its trace and has less time.
func TestClient(t *testing.T) {
	leakcheck.Check(t)
	registry := prometheus.NewRegistry()
	client, err := middleware.NewClient(middleware.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	var traces []string
	var ends []time.Time
	note := func(ctx context.Context) {
		md, _ := metadata.FromIncomingContext(ctx)
		traces = append(traces, strings.Join(md.Get("traceparent"), ""))
		end, _ := ctx.Deadline()
		ends = append(ends, end)
	}
	back := serve(t, newServer(t, middleware.Config{}), func(ctx context.Context, in *text) (*text, error) {
		note(ctx)
		return in, nil
	})
	conn, err := grpc.NewClient(back, append(client.DialOptions("back"), plain)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	front := serve(t, newServer(t, middleware.Config{Timeout: time.Minute}), func(ctx context.Context, in *text) (*text, error) {
		note(ctx)
		return in, conn.Invoke(ctx, get, in, new(text))
	})
	if _, err := call(t, front, get, "tea", append(client.DialOptions("front"), plain)...); err != nil {
		t.Fatal(err)
	}
	if len(traces) != 2 || len(traces[1]) != 55 || traces[0][:35] != traces[1][:35] {
		t.Errorf("the headers are %q", traces)
	}
	if len(ends) != 2 || !ends[1].Before(ends[0]) {
		t.Errorf("the calls end at %v", ends)
	}
	for _, name := range []string{"front", "back"} {
		if got := count(t, registry, "rpc_client_call_duration_seconds", name); got != 1 {
			t.Errorf("%v calls of %s", got, name)
		}
	}
}
