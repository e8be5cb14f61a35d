package inbound_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/outbound"
)

// asking are the ways in which a handler, or a library that it calls, asks a context for its end.
var asking = map[string]func(context.Context) (context.Context, context.CancelFunc){
	"nothing": func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
	"Done":    func(ctx context.Context) (context.Context, context.CancelFunc) { ctx.Done(); return ctx, func() {} },
	"Cause": func(ctx context.Context) (context.Context, context.CancelFunc) {
		_ = context.Cause(ctx)
		return ctx, func() {}
	},
	"WithCancel": context.WithCancel,
	"WithTimeout": func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Minute)
	},
	"AfterFunc": func(ctx context.Context) (context.Context, context.CancelFunc) {
		stop := context.AfterFunc(ctx, func() {})
		return ctx, func() { stop() }
	},
	"WithoutCancel": func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx.Done()
		return context.WithCancel(context.WithoutCancel(ctx))
	},
}

// missing names what a context of a call does not have, of what it should have whatever has been
// asked of it.
func missing(ctx context.Context, method string) (all []string) {
	check := func(what string, ok bool) {
		if !ok {
			all = append(all, what)
		}
	}
	name, _ := grpc.Method(ctx)
	md, _ := metadata.FromIncomingContext(ctx)
	_, hasPeer := peer.FromContext(ctx)
	check("the method", name == method)
	check("the stream", grpc.ServerTransportStreamFromContext(ctx) != nil)
	check("SetHeader", grpc.SetHeader(ctx, metadata.Pairs("h", "1")) == nil)
	check("SetTrailer", grpc.SetTrailer(ctx, metadata.Pairs("t", "1")) == nil)
	check("baggage", baggage.FromContext(ctx).String() == "tenant=acme")
	check("metadata", slices.Equal(md.Get("sent"), []string{"1"}))
	check("the peer", hasPeer)
	check("the span", trace.SpanContextFromContext(ctx).IsValid())
	check("the call", inbound.Draining(ctx) != nil)
	return all
}

// A handler's context has what it had before, when its end has been asked for.
func TestContextKeepsItsValues(t *testing.T) {
	own := withTimeout(10 * time.Second)
	everywhere := policy(t, `{"timeout":"10s"}`)
	for place, admits := range map[string]func(*setup){"admission off": func(*setup) {}, "admission on": limited} {
		for name, timeout := range map[string]func(*setup){"no timeout": func(*setup) {}, "by default": own, "declared": everywhere} {
			for sampled, sampling := range map[string]func(*setup){"recorded": recording(dropSpans{}, always), "not": func(*setup) {}} {
				t.Run(strings.Join([]string{place, name, sampled}, "/"), func(t *testing.T) { testContexts(t, admits, timeout, sampling) })
			}
		}
	}
}

func testContexts(t *testing.T, changes ...func(*setup)) {
	check := func(ctx context.Context) {
		method, _ := grpc.Method(ctx)
		for name, ask := range asking {
			asked, cancel := ask(ctx)
			if got := missing(asked, method); got != nil {
				t.Errorf("%s, asked for %s: no %v", method, name, got)
			}
			if got := missing(ctx, method); got != nil {
				t.Errorf("%s, its own context asked for %s: no %v", method, name, got)
			}
			cancel()
		}
		if err := grpc.SendHeader(ctx, nil); err != nil {
			t.Errorf("%s: SendHeader: %v", method, err)
		}
	}
	inner := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		ctx.Done()
		return next(ctx, req)
	}
	f, conn := start(t, testHandlers{
		unary:  func(ctx context.Context, in *message) (*message, error) { check(ctx); return in, nil },
		stream: func(s grpc.ServerStream) error { check(s.Context()); return s.SendMsg(new(message)) },
	}, append(changes, func(s *setup) { s.Unary = []grpc.UnaryServerInterceptor{inner} })...)
	bag, err := baggage.Parse("tenant=acme")
	if err != nil {
		t.Fatal(err)
	}
	for transport, cc := range map[string]grpc.ClientConnInterface{"gRPC": conn, "REST": f.Conn(inbound.RESTConfig{})} {
		for _, timeout := range []time.Duration{0, 5 * time.Second, time.Minute} {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "sent", "1", "baggage", "tenant=acme")
			if transport == "REST" { // as its HTTP server has them
				ctx = peer.NewContext(baggage.ContextWithBaggage(ctx, bag), &peer.Peer{})
			}
			cancel := func() {}
			if timeout > 0 {
				ctx, cancel = context.WithTimeout(ctx, timeout)
			}
			callAll(ctx, t, cc)
			cancel()
		}
	}
}

// callAll calls a method of each shape.
func callAll(ctx context.Context, t *testing.T, cc grpc.ClientConnInterface) {
	t.Helper()
	if err := cc.Invoke(ctx, unary, new(message), new(message)); err != nil {
		t.Error(err)
	}
	for _, method := range []string{serverStream, clientStream, bidiStream} {
		desc := &grpc.StreamDesc{ClientStreams: method != serverStream, ServerStreams: method != clientStream}
		stream, err := cc.NewStream(ctx, desc, method)
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.CloseSend()
		if method == clientStream { // whose client asks once, as generated code does
			err = stream.RecvMsg(new(message))
		} else {
			err = drainStream(stream)
		}
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// A call that a handler makes carries the caller's baggage, whatever time there is for it.
func TestBaggageGoesOn(t *testing.T) {
	leakcheck.Check(t)
	var got string
	back := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		got = baggage.FromContext(ctx).String()
		return in, nil
	}}, limited)
	client, err := outbound.NewClient(outbound.Config{})
	if err != nil {
		t.Fatal(err)
	}
	through := newThrough(t, client, back.serve(t))
	front := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		return in, through(ctx)
	}}, limited, withTimeout(10*time.Second)).serve(t)
	for _, timeout := range []time.Duration{0, 5 * time.Second, 30 * time.Second} {
		ctx, cancel := metadata.AppendToOutgoingContext(t.Context(), "baggage", "tenant=acme"), func() {}
		if timeout > 0 {
			ctx, cancel = context.WithTimeout(ctx, timeout)
		}
		err := front.Invoke(ctx, unary, new(message), new(message))
		cancel()
		if err != nil || got != "tenant=acme" {
			t.Errorf("the second service got the baggage %q of a caller with %v: %v", got, timeout, err)
		}
	}
}

// newThrough returns a call of back that runs through the client's pass.
func newThrough(t *testing.T, client *outbound.Client, back grpc.ClientConnInterface) func(context.Context) error {
	t.Helper()
	opts := client.DialOptions("back", false)
	opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return back.Invoke(ctx, method, req, reply, opts...)
		}))
	conn, err := grpc.NewClient("passthrough:///back", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return func(ctx context.Context) error { return conn.Invoke(ctx, unary, new(message), new(message)) }
}

// Many goroutines of a handler may use its context and its stream's metadata at once.
func TestContextOfManyGoroutines(t *testing.T) {
	f, conn := start(t, testHandlers{
		unary: func(ctx context.Context, in *message) (*message, error) { useAtOnce(t, ctx); return in, nil },
		stream: func(s grpc.ServerStream) error {
			useAtOnce(t, s.Context())
			return s.SendMsg(new(message))
		},
	}, limited, withTimeout(10*time.Second))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "baggage", "tenant=acme", "authorization", "bearer 0123456789")
	for range 5 {
		callAll(ctx, t, conn)
		callAll(ctx, t, f.Conn(inbound.RESTConfig{}))
	}
}

func useAtOnce(t *testing.T, ctx context.Context) {
	var all sync.WaitGroup
	for range 4 {
		for _, use := range []func(){
			func() { ctx.Done() },
			func() { _ = ctx.Err() },
			func() { ctx.Deadline() },
			func() { _ = baggage.FromContext(ctx) },
			func() { _ = fmt.Sprint(ctx) },
			func() {
				if err := grpc.SetHeader(ctx, metadata.Pairs("h", "1")); err != nil {
					t.Error(err)
				}
			},
			func() {
				child, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				if err := grpc.SetTrailer(child, metadata.Pairs("t", "1")); err != nil {
					t.Error(err)
				}
			},
		} {
			all.Go(use)
		}
	}
	all.Wait()
}

// A context that is printed, as gRPC prints it in errors, names the call and shows nothing of it.
func TestContextPrintsNothing(t *testing.T) {
	var printed []string
	show := func(ctx context.Context) {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		for _, c := range []any{ctx, child, context.WithValue(child, callerKey{}, 1)} {
			printed = append(printed, fmt.Sprintf("%v | %+v | %s", c, c, c))
		}
		printed = append(printed, fmt.Sprintf("%#v", ctx))
	}
	f, conn := start(t, testHandlers{
		unary:  func(ctx context.Context, in *message) (*message, error) { show(ctx); return in, nil },
		stream: func(s grpc.ServerStream) error { show(s.Context()); return s.SendMsg(new(message)) },
	}, limited, withTimeout(10*time.Second))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "bearer 0123456789")
	callAll(ctx, t, conn)
	f.settle(t)
	callAll(ctx, t, f.Conn(inbound.RESTConfig{}))
	f.settle(t)
	for _, text := range printed {
		if strings.Contains(text, "0x") || strings.Contains(text, "0123456789") || !strings.Contains(text, "call of test.v1.Test/") {
			t.Errorf("printed %.500s", text)
		}
	}
}
