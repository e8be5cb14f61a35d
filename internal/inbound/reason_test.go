package inbound_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// rejected checks that one call was refused and counted, logged with its reason, and never reached
// the handler.
func (f *fixture) rejected(t *testing.T, err error, method string, reason inbound.Reason, code codes.Code, label string) {
	t.Helper()
	f.settle(t)
	if status.Code(err) != code {
		t.Errorf("the caller got %v, want %v", err, code)
	}
	f.wantValue(t, rejectedMetric, labels{"rpc_method": method, "reason": string(reason)}, 1)
	f.wantValue(t, rejectedMetric, nil, 1)
	f.wantValue(t, callsMetric, labels{"rpc_method": method, "rpc_status_code": label}, 1)
	f.wantValue(t, callsMetric, nil, 1)
	if line := f.lines.only(t); line["reason"] != string(reason) || line["method"] != method || line["code"] != label {
		t.Errorf("the line is %v, want %s refused with %s: %s", line, method, label, reason)
	}
	if level := f.lines.only(t)["level"]; level == "ERROR" {
		t.Error("a caller brings about a line at ERROR")
	}
	if f.log.String() != "" {
		t.Errorf("a refusal is no fault of the service, but it logged %s", f.log)
	}
}

func unreachable(t *testing.T) testHandlers {
	return testHandlers{
		unary: func(context.Context, *message) (*message, error) {
			t.Error("the handler ran")
			return new(message), nil
		},
		stream: func(grpc.ServerStream) error {
			t.Error("the handler ran")
			return nil
		},
	}
}

func TestUnknownMethod(t *testing.T) {
	for name, method := range map[string]string{
		"of a service that exists": "/test.v1.Test/Nothing",
		"of no service":            "/nothing.Nothing/Nothing",
		"with a very long name":    "/test.v1.Test/" + strings.Repeat("x", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			f, conn := start(t, unreachable(t))
			err := conn.Invoke(t.Context(), method, new(message), new(message))
			f.rejected(t, err, "_OTHER", inbound.ReasonUnknownMethod, codes.Unimplemented, "UNIMPLEMENTED")
			if got := status.Convert(err).Message(); len(got) > 300 || !strings.HasPrefix(got, "unknown method "+method[:14]) {
				t.Errorf("the caller got %q, want the name of the method, cut", got)
			}
		})
	}
}

func TestMalformedMessage(t *testing.T) {
	f, conn := start(t, unreachable(t))
	err := conn.Invoke(t.Context(), unary, []byte{0xff, 0xff}, new(message), grpc.ForceCodec(rawCodec{}))
	f.rejected(t, err, "test.v1.Test/Unary", inbound.ReasonMalformed, codes.Internal, "INTERNAL")
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { return nil }
func (rawCodec) Name() string                       { return "proto" }

func TestTooLargeMessage(t *testing.T) {
	f, conn := start(t, unreachable(t), func(s *setup) { s.server = []grpc.ServerOption{grpc.MaxRecvMsgSize(1024)} })
	err := conn.Invoke(t.Context(), unary, fields(t, map[string]any{"a": strings.Repeat("x", 2000)}), new(message))
	f.rejected(t, err, "test.v1.Test/Unary", inbound.ReasonTooLarge, codes.ResourceExhausted, "RESOURCE_EXHAUSTED")
}

// A call whose time was spent in a queue, or whose caller has gone, does no work.
func TestDeadlineSpentBeforeWork(t *testing.T) {
	for name, tc := range map[string]struct {
		end   func(context.Context) (context.Context, context.CancelFunc)
		code  codes.Code
		label string
	}{
		"spent": {func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, -1) }, codes.DeadlineExceeded, "DEADLINE_EXCEEDED"},
		"gone": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, codes.Canceled, "CANCELLED"},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			f := newChain(t, unreachable(t))
			ctx, cancel := tc.end(t.Context())
			defer cancel()
			err := f.method(t, unary).Serve(nil, newFakeStream(ctx))
			f.rejected(t, err, "test.v1.Test/Unary", inbound.ReasonDeadline, tc.code, tc.label)
		})
	}
}

// What goes wrong once the handler has its message is no refusal.
func TestFailureAfterTheMessageIsNoRefusal(t *testing.T) {
	f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
		for {
			if err := s.RecvMsg(new(message)); err != nil {
				return err
			}
		}
	}}, func(s *setup) { s.server = []grpc.ServerOption{grpc.MaxRecvMsgSize(1024)} })
	stream := openStream(t, conn, bidiStream)
	for _, size := range []int{1, 2000} {
		if err := stream.SendMsg(fields(t, map[string]any{"a": strings.Repeat("x", size)})); err != nil {
			t.Fatal(err)
		}
	}
	if err := drainStream(stream); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the caller got %v, want RESOURCE_EXHAUSTED", err)
	}
	f.settle(t)
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "RESOURCE_EXHAUSTED"}, 1)
	f.wantValue(t, rejectedMetric, nil, 0)
}

// The call is counted as its caller sees it, although the handler returned no error.
func TestAnswerTooLargeToSend(t *testing.T) {
	f, conn := start(t, testHandlers{unary: func(context.Context, *message) (*message, error) {
		return fields(t, map[string]any{"a": strings.Repeat("x", 2000)}), nil
	}}, func(s *setup) { s.server = []grpc.ServerOption{grpc.MaxSendMsgSize(1024)} })
	err := conn.Invoke(t.Context(), unary, new(message), new(message))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the caller got %v, want RESOURCE_EXHAUSTED", err)
	}
	f.settle(t)
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "RESOURCE_EXHAUSTED", "error_type": ""}, 1)
	f.wantValue(t, rejectedMetric, nil, 0)
}
