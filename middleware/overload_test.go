package middleware_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/middleware"
)

func limited(s *setup) { s.Admission = admission.New() }

// crowd makes as many calls as may run at once, whose handlers go on until the test lets them, and waits until they run.
func (f *fixture) crowd(t *testing.T, conn *grpc.ClientConn) (release func()) {
	t.Helper()
	var wg sync.WaitGroup
	for range f.setup.Admission.State().Limit {
		wg.Go(func() {
			if err := conn.Invoke(context.WithoutCancel(t.Context()), unary, new(message), new(message)); err != nil {
				t.Errorf("a call that runs ended with %v", err)
			}
		})
	}
	for range 5000 {
		if s := f.setup.Admission.State(); s.Running == s.Limit {
			return wg.Wait
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("not all calls run: %+v", f.setup.Admission.State())
	return nil
}

// held are handlers that wait for the test, unless the call says that it is quick.
func held(gate <-chan struct{}) testHandlers {
	return testHandlers{
		unary: func(ctx context.Context, in *message) (*message, error) {
			if len(metadata.ValueFromIncomingContext(ctx, "quick")) == 0 {
				<-gate
			}
			return in, nil
		},
		stream: func(grpc.ServerStream) error { return nil },
	}
}

// What is too much is refused, and everybody is told: the caller when to come back, the metrics why, and the objective
// that a call was lost.
func TestOverloadIsRefused(t *testing.T) {
	gate := make(chan struct{})
	f, conn := start(t, held(gate), limited)
	release := f.crowd(t, conn)

	err := conn.Invoke(t.Context(), unary, new(message), new(message))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the caller got %v", err)
	}
	wantRetryInfo(t, err)
	f.wantValue(t, rejectedMetric, labels{"rpc_method": unary[1:], "reason": "overload"}, 1)
	f.wantValue(t, callsMetric, labels{"rpc_method": unary[1:], "rpc_status_code": "UNAVAILABLE"}, 1)
	if line := f.lines.only(t); line["reason"] != "overload" || line["code"] != "UNAVAILABLE" {
		t.Errorf("the line is %v", line)
	}
	limit := float64(f.setup.Admission.State().Limit)
	f.wantValue(t, "chassis_admission_limit", nil, limit)
	f.wantValue(t, "chassis_admission_running", nil, limit)

	close(gate)
	release()
	f.settle(t)
	f.wantValue(t, "chassis_admission_running", nil, 0)
	if waited := f.value(t, "chassis_admission_wait_seconds_total", nil); waited <= 0 {
		t.Errorf("calls have waited %v s", waited)
	}
}

func wantRetryInfo(t *testing.T, err error) {
	t.Helper()
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok && info.GetRetryDelay().AsDuration() > 0 {
			return
		}
	}
	t.Errorf("%v does not tell when to come back", err)
}

// REST takes its places at the same counter.
func TestOverloadIsRefusedByREST(t *testing.T) {
	gate := make(chan struct{})
	f, conn := start(t, held(gate), limited)
	release := f.crowd(t, conn)
	defer release()
	defer close(gate)
	err := f.Conn(middleware.RESTConfig{}).Invoke(t.Context(), unary, new(message), new(message))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the caller got %v", err)
	}
	f.wantValue(t, rejectedMetric, labels{"reason": "overload"}, 1)
}

// Probes answer in the worst of times, and when the service leaves nobody is refused.
func TestNeverRefused(t *testing.T) {
	gate := make(chan struct{})
	f, conn := start(t, held(gate), limited)
	f.wrap(t, &grpc.ServiceDesc{
		ServiceName: "grpc.health.v1.Health", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Check", Handler: serveUnary}},
	}, testHandlers{unary: echo})
	release := f.crowd(t, conn)
	probe := newFakeStream(t.Context())
	if err := f.method(t, "/grpc.health.v1.Health/Check").Serve(nil, probe); err != nil {
		t.Errorf("a probe was answered with %v", err)
	}
	if err := conn.Invoke(t.Context(), "/test.v1.Test/Nothing", new(message), new(message)); status.Code(err) != codes.Unimplemented {
		t.Errorf("an unknown method was answered with %v", err)
	}

	f.Leave()
	quick := metadata.AppendToOutgoingContext(t.Context(), "quick", "yes")
	if err := conn.Invoke(quick, unary, new(message), new(message)); err != nil {
		t.Errorf("a call to a service that leaves was answered with %v", err)
	}
	close(gate)
	release()
	f.settle(t)
	f.wantValue(t, "chassis_admission_running", nil, 0)
}

// A stream holds its permit while it begins, and then no longer.
func TestStreamsHoldNoPermit(t *testing.T) {
	f := newChain(t, testHandlers{}, limited)
	handlers := testHandlers{stream: func(grpc.ServerStream) error {
		f.wantValue(t, "chassis_admission_running", nil, 0)
		return nil
	}}
	f.wrap(t, &grpc.ServiceDesc{ServiceName: "test.v1.Long", HandlerType: (*any)(nil), Streams: testService().Streams}, handlers)
	if err := f.method(t, "/test.v1.Long/ServerStream").Serve(nil, newFakeStream(t.Context())); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	f.wantValue(t, callsMetric, labels{"rpc_method": "test.v1.Long/ServerStream"}, 1)
}

// grpc-go runs no handler for a message that is compressed in a way it does not know. The call's permit comes back.
func TestPermitOfACallWithoutHandler(t *testing.T) {
	f, conn := start(t, unreachable(t), limited, func(s *setup) {
		s.dial = append(s.dial, grpc.WithCompressor(unheardOf{})) //nolint:staticcheck // a compressor that is not registered
	})
	for range 300 { // more than may run at once
		if err := conn.Invoke(t.Context(), unary, fields(t, map[string]any{"a": "b"}), new(message)); status.Code(err) != codes.Unimplemented {
			t.Fatalf("the caller got %v", err)
		}
	}
	for range 300 {
		f.setup.Admission.State()
	}
	f.wantValue(t, "chassis_admission_running", nil, 0)
}

type unheardOf struct{}

func (unheardOf) Do(w io.Writer, p []byte) error { _, err := w.Write(p); return err }
func (unheardOf) Type() string                   { return "unheard-of" }

// What a call is worth is what its method declares, unless one of the own trust domain says otherwise.
func TestCriticality(t *testing.T) {
	const own, other = "spiffe://example.org/web", "spiffe://example.org.evil/web"
	tests := []struct {
		caller string
		header []string
		want   string
	}{
		{own, nil, "normal"},
		{own, []string{"critical"}, "critical"},
		{own, []string{"sheddable"}, "sheddable"},
		{own, []string{"urgent"}, "normal"},
		{own, []string{"critical", "sheddable"}, "normal"},
		{other, []string{"critical"}, "normal"},
		{"", []string{"critical"}, "normal"},
	}
	for i, test := range tests {
		for _, admitted := range []bool{true, false} {
			t.Run(strconv.Itoa(i)+"/"+strconv.FormatBool(admitted), func(t *testing.T) {
				var got string
				f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
					got = middleware.Criticality(ctx)
					return in, nil
				}}, func(s *setup) {
					if admitted {
						limited(s)
					}
					s.Defaults = contract.Defaults{}
				})
				f.SetTrustDomain("example.org")
				ctx := asPeer(t.Context(), test.caller)
				ctx = metadata.NewIncomingContext(ctx, metadata.MD{"paddock-criticality": test.header})
				err := f.method(t, unary).Serve(nil, newFakeStream(ctx))
				if denied := test.caller != own; denied {
					return
				}
				if err != nil || got != test.want {
					t.Errorf("the call is %s (%v), want %s", got, err, test.want)
				}
			})
		}
	}
}

// Callers that send their header and no message keep nobody out; one that sends it late learns that its place is gone.
func TestSilentCallersLoseTheirPlace(t *testing.T) {
	gate := make(chan struct{})
	close(gate)
	f, conn := start(t, held(gate), limited)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var silent []grpc.ClientStream
	for range f.setup.Admission.State().Limit {
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, unary)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, stream)
	}
	for s := f.setup.Admission.State(); s.Running < s.Limit; s = f.setup.Admission.State() {
		time.Sleep(time.Millisecond)
	}
	for range 2 { // one may come before the silent ones are late
		if err := conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil {
			t.Errorf("a call beside silent ones: %v", err)
		}
	}
	late := silent[0]
	if err := errors.Join(late.SendMsg(new(message)), late.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if err := late.RecvMsg(new(message)); status.Code(err) != codes.Unavailable {
		t.Errorf("the call whose message came late got %v, want UNAVAILABLE", err)
	}
	f.wantValue(t, rejectedMetric, labels{"rpc_method": unary[1:], "reason": "overload"}, 1)
	cancel()
	f.settle(t)
	f.wantValue(t, "chassis_admission_running", nil, 0)
}
