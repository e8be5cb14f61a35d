package inbound_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/betmakers/paddock/internal/leakcheck"
)

// An answer that cannot be encoded is the service's fault. gRPC ends the stream for it, as it does
// when a caller has gone.
func TestAnswerThatCannotBeSent(t *testing.T) {
	leakcheck.Check(t)
	f, conn := start(t, testHandlers{unary: func(context.Context, *message) (*message, error) {
		return &message{Fields: map[string]*structpb.Value{"a": structpb.NewStringValue("\xff")}}, nil
	}}, policy(t, `{"slo": {"availability": 99.9}}`, unary))
	err := conn.Invoke(t.Context(), unary, fields(t, nil), new(message))
	if status.Code(err) != codes.Internal {
		t.Fatalf("got %v, want INTERNAL", err)
	}
	f.settle(t)
	f.wantValue(t, sloBadMetric, labels{"rpc_method": unary[1:], "slo": "availability"}, 1)
	for _, line := range f.lines.records(t) {
		if line["msg"] == "call" && line["level"] != "ERROR" {
			t.Errorf("the line of the call has the level %v: %v", line["level"], line)
		}
	}
	if len(f.lines.records(t)) == 0 {
		t.Error("the call has no line")
	}
}
