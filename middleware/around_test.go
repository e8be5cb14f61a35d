package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/middleware"
)

const watch = "/test.v1.Feed/Watch"

// feed is a service with one server stream.
var feed = grpc.ServiceDesc{
	ServiceName: "test.v1.Feed", HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Watch", ServerStreams: true, Handler: func(impl any, stream grpc.ServerStream) error {
		in := new(text)
		if err := stream.RecvMsg(in); err != nil {
			return err
		}
		return impl.(feedHandler)(in, stream)
	}}},
}

type feedHandler func(in *text, stream grpc.ServerStream) error

// steps are what happens to a call, in its order.
type steps struct {
	mu   sync.Mutex
	have []string
}

func (s *steps) add(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have = append(s.have, step)
}

// watchOnce makes a call of a stream, and returns what it answers first.
func watchOnce(t *testing.T, addr, in string) (string, error) {
	t.Helper()
	conn, err := grpc.NewClient(addr, plain)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.NewStream(metadata.AppendToOutgoingContext(t.Context(), "by", in), &grpc.StreamDesc{ServerStreams: true}, watch)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(wrapperspb.String(in)); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	out := new(text)
	if err := stream.RecvMsg(out); err != nil {
		return "", err
	}
	if err := stream.RecvMsg(new(text)); !errors.Is(err, io.EOF) { // by then the call has ended
		return "", err
	}
	return out.GetValue(), nil
}

// The service's own stream interceptors run inside the pass: what they refuse is logged and
// counted, a panic in them is answered for, and they know the caller's deadline and the stop.
func TestOwnStreamInterceptors(t *testing.T) {
	leakcheck.Check(t)
	for name, chained := range map[string]grpc.ServerOption{
		"one":  grpc.ChainStreamInterceptor(ownInterceptor),
		"more": grpc.ChainStreamInterceptor(passing, ownInterceptor, passing),
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			registry := prometheus.NewRegistry()
			pass := newServer(t, middleware.Config{Registerer: registry, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
			addr := serveAll(t, pass, func(r grpc.ServiceRegistrar) {
				r.RegisterService(&feed, feedHandler(func(in *text, stream grpc.ServerStream) error {
					return stream.SendMsg(in)
				}))
			}, chained)
			for in, want := range map[string]codes.Code{"tea": codes.OK, "stranger": codes.PermissionDenied, "panic": codes.Internal} {
				out, err := watchOnce(t, addr, in)
				if status.Code(err) != want || err == nil && out != in {
					t.Errorf("%s: got %q, %v, want %s", in, out, err, want)
				}
			}
			for code, want := range map[string]float64{"OK": 1, "PERMISSION_DENIED": 1, "INTERNAL": 1} {
				if got := count(t, registry, "rpc_server_call_duration_seconds", code); got != want {
					t.Errorf("%v calls with the code %s, want %v", got, code, want)
				}
			}
			if lines := strings.Count(log.String(), `"msg":"call"`); lines != 3 {
				t.Errorf("%d lines of calls, want 3:\n%s", lines, log.String())
			}
		})
	}
}

func ownInterceptor(impl any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	switch by := strings.Join(md.Get("by"), ""); {
	case middleware.Draining(stream.Context()) == nil:
		return status.Error(codes.FailedPrecondition, "the interceptor runs outside of the pass")
	case by == "stranger":
		return status.Error(codes.PermissionDenied, "by the service's own interceptor")
	case by == "panic":
		panic("secret")
	}
	return next(impl, stream)
}

func passing(impl any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(impl, stream)
}

// A server that was made without the options of the pass serves streams through it all the same.
func TestStreamsWithoutOptions(t *testing.T) {
	leakcheck.Check(t)
	registry := prometheus.NewRegistry()
	pass := newServer(t, middleware.Config{Registerer: registry})
	server, had := grpc.NewServer(grpc.ChainStreamInterceptor(passing)), &steps{}
	pass.Registrar(server).RegisterService(&feed, feedHandler(func(in *text, stream grpc.ServerStream) error {
		had.add(in.GetValue())
		return stream.SendMsg(in)
	}))
	if out, err := watchOnce(t, listen(t, server), "tea"); err != nil || out != "tea" {
		t.Errorf("got %q, %v", out, err)
	}
	if got := count(t, registry, "rpc_server_call_duration_seconds", "OK"); got != 1 || !slices.Equal(had.have, []string{"tea"}) {
		t.Errorf("%v calls, the handler had %q, want one", got, had.have)
	}
}

// One pass serves several servers, each with an implementation and interceptors of its own, and its
// calls are counted together and once.
func TestSeveralServers(t *testing.T) {
	leakcheck.Check(t)
	registry := prometheus.NewRegistry()
	pass := newServer(t, middleware.Config{Registerer: registry})
	for _, name := range []string{"internal", "external"} {
		intercepted := 0
		addr := serveAll(t, pass, func(r grpc.ServiceRegistrar) {
			r = pass.Registrar(r) // twice is once
			r.RegisterService(&shop, handler(func(context.Context, *text) (*text, error) { return wrapperspb.String(name), nil }))
			r.RegisterService(&feed, feedHandler(func(_ *text, stream grpc.ServerStream) error { return stream.SendMsg(wrapperspb.String(name)) }))
		}, grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			intercepted++
			return next(ctx, in)
		}))
		if out, err := call(t, addr, get, "tea", plain); err != nil || out != name || intercepted != 1 {
			t.Errorf("%s: got %q, %v, %d times intercepted", name, out, err, intercepted)
		}
		if out, err := watchOnce(t, addr, "tea"); err != nil || out != name {
			t.Errorf("%s, a stream: got %q, %v", name, out, err)
		}
	}
	if got := count(t, registry, "rpc_server_call_duration_seconds", "OK"); got != 4 {
		t.Errorf("%v calls, want 4", got)
	}
}

func TestMistakes(t *testing.T) {
	registry := prometheus.NewRegistry()
	newServer(t, middleware.Config{Registerer: registry})
	other := shop
	for name, test := range map[string]struct {
		cfg  middleware.Config
		do   func(*middleware.Server)
		want string
	}{
		"a domain with a scheme":   {cfg: middleware.Config{TrustDomain: "spiffe://test"}, want: `TrustDomain is "spiffe://test"`},
		"a domain in capitals":     {cfg: middleware.Config{TrustDomain: "TEST"}, want: `TrustDomain is "TEST"`},
		"a time before now":        {cfg: middleware.Config{Timeout: -1}, want: "Timeout is -1ns"},
		"two of them":              {cfg: middleware.Config{TrustDomain: "a b", Timeout: -1}, want: "Timeout is -1ns"},
		"a second pass":            {cfg: middleware.Config{Registerer: registry}, want: "use one Server for all servers"},
		"no server":                {do: func(s *middleware.Server) { s.Registrar(nil).RegisterService(&shop, handler(nil)) }, want: "Registrar was called with nil"},
		"no implementation":        {do: func(s *middleware.Server) { s.Registrar(grpc.NewServer()).RegisterService(&shop, nil) }, want: "with a nil server"},
		"a nil implementation":     {do: func(s *middleware.Server) { s.Registrar(grpc.NewServer()).RegisterService(&shop, (*steps)(nil)) }, want: "with a nil server"},
		"two services of one name": {do: func(s *middleware.Server) { twice(s, &shop, &other) }, want: "two different descriptions of gRPC service test.v1.Shop"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := middleware.NewServer(test.cfg)
			if test.do != nil && err == nil {
				test.do(s)
				err = s.Err()
			}
			if err == nil || strings.Count(err.Error(), test.want) != 1 {
				t.Errorf("got %v, want %q in it, once", err, test.want)
			}
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("HTTP took a nil handler")
		}
	}()
	newServer(t, middleware.Config{}).HTTP(nil)
}

func twice(s *middleware.Server, descs ...*grpc.ServiceDesc) {
	for _, desc := range descs {
		s.Registrar(grpc.NewServer()).RegisterService(desc, handler(nil))
	}
}

// lockedBuffer is a buffer that several may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
