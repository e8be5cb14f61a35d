package inbound_test

import (
	"context"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// rest is a chain with a connection for the gateway.
func rest(t *testing.T, handlers testHandlers, changes ...func(*setup)) (*fixture, grpc.ClientConnInterface) {
	t.Helper()
	leakcheck.Check(t)
	f := newChain(t, handlers, changes...)
	return f, f.Conn(inbound.RESTConfig{})
}

func TestRESTHandsMessagesOver(t *testing.T) {
	sent := fields(t, map[string]any{
		"text": "a", "number": 1.5, "null": nil, "list": []any{"x", 2.0, map[string]any{"deep": true}}, "map": map[string]any{"k": "v", "empty": map[string]any{}},
	})
	sent.ProtoReflect().SetUnknown([]byte{0x98, 0x06, 0x2a}) // field 99, varint 42
	want := proto.Clone(sent)
	var got *message
	f, conn := rest(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		got = in
		return in, nil
	}})
	answer := new(message)
	if err := conn.Invoke(t.Context(), unary, sent, answer); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("the handler got %v, want %v", got, want)
	}
	if !proto.Equal(answer, want) {
		t.Errorf("the answer is %v, want %v", answer, want)
	}
	if line := f.lines.only(t); line["protocol"] != "grpc" && line["code"] != "OK" {
		t.Errorf("logged %v", line)
	}
	f.wantValue(t, callsMetric, labels{"rpc_method": unary[1:], "rpc_status_code": "OK"}, 1)
}

func TestRESTEmptyMessages(t *testing.T) {
	for name, answer := range map[string]*message{"empty": new(message), "nil of its type": nil} {
		t.Run(name, func(t *testing.T) {
			_, conn := rest(t, testHandlers{unary: func(context.Context, *message) (*message, error) { return answer, nil }})
			got := new(message)
			if err := conn.Invoke(t.Context(), unary, new(message), got); err != nil || proto.Size(got) != 0 {
				t.Errorf("the answer is %v, %v", got, err)
			}
		})
	}
}

func TestRESTHeaderAndTrailer(t *testing.T) {
	_, conn := rest(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		var all sync.WaitGroup
		for range 8 { // as gRPC allows
			all.Go(func() {
				if err := grpc.SetHeader(ctx, metadata.Pairs("set", "1")); err != nil {
					t.Error(err)
				}
				if err := grpc.SetTrailer(ctx, metadata.Pairs("trailer", "1")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := grpc.SendHeader(ctx, metadata.Pairs("sent", "1")); err != nil {
			t.Error(err)
		}
		if err := grpc.SetHeader(ctx, metadata.Pairs("late", "1")); err == nil {
			t.Error("a header set after it was sent is no error")
		}
		if name, _ := grpc.Method(ctx); name != unary {
			t.Errorf("grpc.Method() = %s, want %s", name, unary)
		}
		return nil, status.Error(codes.NotFound, "reported with errors too")
	}})
	var header, trailer metadata.MD
	if err := conn.Invoke(t.Context(), unary, new(message), new(message), grpc.Header(&header), grpc.Trailer(&trailer)); status.Code(err) != codes.NotFound {
		t.Errorf("Invoke() = %v", err)
	}
	if len(header["set"]) != 8 || len(header["sent"]) != 1 || len(header["late"]) != 0 || len(trailer["trailer"]) != 8 {
		t.Errorf("header %v, trailer %v", header, trailer)
	}
}

// What the gateway sends has come in at the handler, and does not go out with the calls that the
// handler makes.
func TestRESTMetadata(t *testing.T) {
	for name, sent := range map[string]metadata.MD{"some": metadata.Pairs("authorization", "secret", "many", "1", "many", "2"), "none": nil} {
		t.Run(name, func(t *testing.T) {
			check := func(ctx context.Context) {
				in, _ := metadata.FromIncomingContext(ctx)
				if len(in) != len(sent) || !reflect.DeepEqual(in["many"], sent["many"]) {
					t.Errorf("incoming %v, want %v", in, sent)
				}
				if out, _ := metadata.FromOutgoingContext(ctx); len(out) > 0 {
					t.Errorf("outgoing %v, want nothing", out)
				}
				added := metadata.AppendToOutgoingContext(ctx, "own", "1")
				if out, _ := metadata.FromOutgoingContext(added); len(out) != 1 {
					t.Errorf("outgoing %v, want what the handler added", out)
				}
			}
			_, conn := rest(t, testHandlers{
				unary:  func(ctx context.Context, in *message) (*message, error) { check(ctx); return in, nil },
				stream: func(s grpc.ServerStream) error { check(s.Context()); return nil },
			})
			ctx := t.Context()
			if sent != nil {
				ctx = metadata.NewOutgoingContext(ctx, sent)
			}
			if err := conn.Invoke(ctx, unary, new(message), new(message)); err != nil {
				t.Error(err)
			}
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, bidiStream)
			if err != nil {
				t.Fatal(err)
			}
			if err := drainStream(stream); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRESTRefuses(t *testing.T) {
	f, conn := rest(t, testHandlers{unary: echo})
	for name, tc := range map[string]struct {
		method         string
		request, reply any
		code           codes.Code
	}{
		"a request that is no message":  {unary, "text", new(message), codes.Internal},
		"an answer that is no message":  {unary, new(message), "text", codes.Internal},
		"a request of another message":  {unary, new(emptypb.Empty), new(message), codes.Internal},
		"an answer of another message":  {unary, new(message), new(emptypb.Empty), codes.Internal},
		"a method that does not exist":  {"/no.Such/Method", new(message), new(message), codes.Unimplemented},
		"a method without its slash":    {unary[1:], new(message), new(message), codes.Unimplemented},
		"a method with a very long one": {"/" + strings.Repeat("x", 9000), new(message), new(message), codes.Unimplemented},
	} {
		t.Run(name, func(t *testing.T) {
			if err := conn.Invoke(t.Context(), tc.method, tc.request, tc.reply); status.Code(err) != tc.code || len(err.Error()) > 500 {
				t.Errorf("Invoke() = %v, want %v", err, tc.code)
			}
		})
	}
	f.wantValue(t, rejectedMetric, labels{"rpc_method": "_OTHER", "reason": "unknown_method"}, 3)
}

func TestRESTAnswerTooLarge(t *testing.T) {
	leakcheck.Check(t)
	large := fields(t, map[string]any{"a": strings.Repeat("x", 2000)})
	f := newChain(t, testHandlers{
		unary:  func(context.Context, *message) (*message, error) { return large, nil },
		stream: func(s grpc.ServerStream) error { return s.SendMsg(large) },
	})
	conn := f.Conn(inbound.RESTConfig{MaxMessage: 1024})
	if err := conn.Invoke(t.Context(), unary, new(message), new(message)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a unary call ended with %v", err)
	}
	if err := drainStream(openStream(t, conn, serverStream)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a stream ended with %v", err)
	}
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "RESOURCE_EXHAUSTED"}, 2)
}

func TestRESTPanicAndInterceptors(t *testing.T) {
	var order []string
	f, conn := rest(t, testHandlers{unary: func(context.Context, *message) (*message, error) { panic(secret) }}, func(s *setup) {
		for _, name := range []string{"outer", "middle", "inner"} {
			s.Unary = append(s.Unary, func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				order = append(order, name)
				return next(ctx, req)
			})
		}
	})
	err := conn.Invoke(t.Context(), unary, new(message), new(message))
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), secret) {
		t.Errorf("Invoke() = %v", err)
	}
	if got := strings.Join(order, " "); got != "outer middle inner" {
		t.Errorf("interceptors ran as %s", got)
	}
	f.wantValue(t, panicsMetric, labels{"where": "rpc"}, 1)
}

// Calls by REST share nothing that a handler or a caller writes to.
func TestRESTConcurrently(t *testing.T) {
	_, conn := rest(t, testHandlers{
		unary: func(_ context.Context, in *message) (*message, error) {
			in.Fields["seen"] = in.Fields["a"]
			return in, nil
		},
		stream: func(s grpc.ServerStream) error {
			m := new(message)
			for range 10 {
				if err := s.SendMsg(m); err != nil {
					return err
				}
				m.Fields = nil // allowed once SendMsg has returned
			}
			return nil
		},
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				runtime.Gosched()
				answer := new(message)
				if err := conn.Invoke(t.Context(), unary, fields(t, map[string]any{"a": 1}), answer); err != nil || len(answer.Fields) != 2 {
					t.Errorf("Invoke() = %v, %v", answer, err)
				}
				if err := drainStream(openStream(t, conn, bidiStream)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
