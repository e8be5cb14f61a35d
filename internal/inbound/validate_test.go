package inbound_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/inbound"
)

// rules refuse messages that have a field "bad".
func rules(m proto.Message) error {
	if _, bad := m.(*message).GetFields()["bad"]; bad {
		return errors.New("bad: must not be set")
	}
	return nil
}

func validating(s *setup) { s.Validate = rules }

func bad(t testing.TB) *message { return fields(t, map[string]any{"bad": true}) }

func TestInvalidMessage(t *testing.T) {
	f, conn := start(t, unreachable(t), validating)
	err := conn.Invoke(t.Context(), unary, bad(t), new(message))
	f.rejected(t, err, unary[1:], inbound.ReasonInvalid, codes.InvalidArgument, "INVALID_ARGUMENT")
	if got := status.Convert(err).Message(); got != "bad: must not be set" {
		t.Errorf("the caller is told %q, want what is wrong", got)
	}
}

func TestInvalidMessageByREST(t *testing.T) {
	f, conn := rest(t, unreachable(t), validating)
	err := conn.Invoke(t.Context(), unary, bad(t), new(message))
	f.rejected(t, err, unary[1:], inbound.ReasonInvalid, codes.InvalidArgument, "INVALID_ARGUMENT")
}

func TestInvalidMessageOfAServerStream(t *testing.T) {
	f, conn := start(t, testHandlers{stream: receive}, validating)
	stream := openStream(t, conn, serverStream)
	if err := stream.SendMsg(bad(t)); err != nil {
		t.Fatal(err)
	}
	f.rejected(t, drainStream(stream), serverStream[1:], inbound.ReasonInvalid, codes.InvalidArgument, "INVALID_ARGUMENT")
}

// receive reads what comes in, to the end.
func receive(s grpc.ServerStream) error {
	for {
		if err := s.RecvMsg(new(message)); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Every message of a client stream is checked. The call has begun by then, so it fails and is not
// refused.
func TestInvalidMessageWithinAClientStream(t *testing.T) {
	f, conn := start(t, testHandlers{stream: receive}, validating)
	stream := openStream(t, conn, bidiStream)
	for _, m := range []*message{new(message), bad(t)} {
		if err := stream.SendMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := drainStream(stream); status.Code(err) != codes.InvalidArgument {
		t.Errorf("the caller got %v, want INVALID_ARGUMENT", err)
	}
	f.settle(t)
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "INVALID_ARGUMENT"}, 1)
	f.wantValue(t, rejectedMetric, nil, 0)
}

// The rules' own status is the answer; what they say otherwise is the caller's mistake.
func TestStatusOfTheRules(t *testing.T) {
	f, conn := start(t, unreachable(t), func(s *setup) {
		s.Validate = func(proto.Message) error { return status.Error(codes.OutOfRange, "too far") }
	})
	err := conn.Invoke(t.Context(), unary, new(message), new(message))
	f.rejected(t, err, unary[1:], inbound.ReasonInvalid, codes.OutOfRange, "OUT_OF_RANGE")
}

func TestValidMessage(t *testing.T) {
	f, conn := start(t, testHandlers{unary: echo}, validating)
	if err := conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil {
		t.Fatal(err)
	}
	f.wantValue(t, rejectedMetric, nil, 0)
}

func TestMaxRequestBytes(t *testing.T) {
	small := fields(t, map[string]any{"a": strings.Repeat("x", 80)})
	limit := proto.Size(small)
	declared := policy(t, `{"max_request_bytes": 100}`)
	if limit >= 100 {
		t.Fatalf("the small message has %d bytes", limit)
	}
	large := fields(t, map[string]any{"a": strings.Repeat("x", 200)})
	t.Run("small enough", func(t *testing.T) {
		f, conn := start(t, testHandlers{unary: echo}, declared)
		if err := conn.Invoke(t.Context(), unary, small, new(message)); err != nil {
			t.Fatal(err)
		}
		f.wantValue(t, rejectedMetric, nil, 0)
	})
	t.Run("gRPC", func(t *testing.T) {
		f, conn := start(t, unreachable(t), declared)
		err := conn.Invoke(t.Context(), unary, large, new(message))
		f.rejected(t, err, unary[1:], inbound.ReasonTooLarge, codes.ResourceExhausted, "RESOURCE_EXHAUSTED")
		if got := status.Convert(err).Message(); !strings.Contains(got, "the method takes 100") {
			t.Errorf("the caller is told %q, want the limit", got)
		}
	})
	t.Run("REST", func(t *testing.T) {
		f, conn := rest(t, unreachable(t), declared)
		err := conn.Invoke(t.Context(), unary, large, new(message))
		f.rejected(t, err, unary[1:], inbound.ReasonTooLarge, codes.ResourceExhausted, "RESOURCE_EXHAUSTED")
	})
	t.Run("a message of a stream", func(t *testing.T) {
		f, conn := start(t, testHandlers{stream: receive}, declared)
		stream := openStream(t, conn, clientStream)
		if err := stream.SendMsg(large); err != nil {
			t.Fatal(err)
		}
		if err := drainStream(stream); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("the caller got %v, want RESOURCE_EXHAUSTED", err)
		}
		f.settle(t)
		f.wantValue(t, callsMetric, labels{"rpc_status_code": "RESOURCE_EXHAUSTED"}, 1)
	})
}
