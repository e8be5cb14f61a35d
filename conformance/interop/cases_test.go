package interop

import (
	"context"
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// testCase is a case of upstream's, by the name that upstream gives it.
type testCase struct {
	name string
	run  func(ctx context.Context, c *client)
}

// client is the connection of a case, and how to make another like it; nil where there can be but
// one.
type client struct {
	conn    *grpc.ClientConn
	another func() *grpc.ClientConn
}

func (c *client) service() testgrpc.TestServiceClient { return testgrpc.NewTestServiceClient(c.conn) }

func cases() []testCase {
	list := []testCase{
		{"unimplemented_method", func(ctx context.Context, c *client) { interop.DoUnimplementedMethod(ctx, c.conn) }},
		{"unimplemented_service", func(ctx context.Context, c *client) {
			interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(c.conn))
		}},
		{"pick_first_unary", func(ctx context.Context, c *client) { interop.DoPickFirstUnary(ctx, c.service()) }},
		{"orca_per_rpc", func(ctx context.Context, c *client) { interop.DoORCAPerRPCTest(ctx, c.service()) }},
		{"rpc_soak", func(ctx context.Context, c *client) {
			soak(ctx, func() (*grpc.ClientConn, func()) { return c.conn, func() {} })
		}},
		{"channel_soak", func(ctx context.Context, c *client) {
			soak(ctx, func() (*grpc.ClientConn, func()) {
				conn := c.another()
				return conn, func() { _ = conn.Close() }
			})
		}},
	}
	for _, c := range []struct {
		name string
		run  func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)
	}{
		{"empty_unary", interop.DoEmptyUnaryCall},
		{"large_unary", interop.DoLargeUnaryCall},
		{"client_streaming", interop.DoClientStreaming},
		{"server_streaming", interop.DoServerStreaming},
		{"ping_pong", interop.DoPingPong},
		{"empty_stream", interop.DoEmptyStream},
		{"timeout_on_sleeping_server", interop.DoTimeoutOnSleepingServer},
		{"cancel_after_begin", interop.DoCancelAfterBegin},
		{"cancel_after_first_response", interop.DoCancelAfterFirstResponse},
		{"status_code_and_message", interop.DoStatusCodeAndMessage},
		{"special_status_message", interop.DoSpecialStatusMessage},
		{"custom_metadata", interop.DoCustomMetadata},
	} {
		list = append(list,
			testCase{c.name, func(ctx context.Context, client *client) { c.run(ctx, client.service()) }},
			testCase{c.name + "_gzip", func(ctx context.Context, client *client) { c.run(ctx, client.service(), grpc.UseCompressor(gzip.Name)) }},
		)
	}
	return list
}

// soak makes large calls on the connections that channel returns. How long they take is not the
// question.
func soak(ctx context.Context, channel func() (*grpc.ClientConn, func())) {
	interop.DoSoakTest(ctx, interop.SoakTestConfig{
		RequestSize: 271828, ResponseSize: 314159, NumWorkers: 1, Iterations: 10,
		PerIterationMaxAcceptableLatency: math.MaxInt64, OverallTimeout: patience, ChannelForTest: channel,
	})
}

// patience is how long a case may take.
const patience = 30 * time.Second

// try reports why the case fails, or nil.
func (c testCase) try(ctx context.Context, client *client) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		defer func() {
			if failed := recover(); failed != nil {
				ended <- fmt.Errorf("%v", failed)
			}
			close(ended)
		}()
		c.run(ctx, client)
	}()
	select {
	case err := <-ended:
		return err
	case <-time.After(2 * patience):
		return fmt.Errorf("no end after %v", 2*patience)
	}
}

// failing is grpc-go's log, by whose Fatal upstream's cases fail. Here that ends the case alone.
type failing struct{ grpclog.LoggerV2 }

func (failing) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (failing) Fatalln(args ...any)               { panic(fmt.Sprint(args...)) }
func (failing) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
