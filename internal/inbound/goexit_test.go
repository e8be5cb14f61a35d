package inbound_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/leakcheck"
)

// A handler that ends its goroutine ends gRPC's with it, which then answers nothing: the pass does.
func TestGoexitIsAnswered(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{
		unary:  func(context.Context, *message) (*message, error) { runtime.Goexit(); return nil, nil },
		stream: func(grpc.ServerStream) error { runtime.Goexit(); return nil },
	})
	conn := f.serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // which bare gRPC would wait for
	defer cancel()
	if err := conn.Invoke(ctx, unary, new(message), new(message)); status.Code(err) != codes.Internal {
		t.Errorf("a unary call ends with %v, want INTERNAL", err)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, bidiStream)
	if err == nil {
		err = stream.RecvMsg(new(message))
	}
	if status.Code(err) != codes.Internal {
		t.Errorf("a stream ends with %v, want INTERNAL", err)
	}
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "INTERNAL"}, 2)
}
