package inbound_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

const drainingText = "the server is shutting down: connect again"

// What a handler of a stream may wait for.
var waits = map[string]streamFunc{
	"its context": func(s grpc.ServerStream) error { <-s.Context().Done(); return s.Context().Err() },
	"a context made of it": func(s grpc.ServerStream) error {
		ctx, cancel := context.WithTimeout(s.Context(), time.Hour)
		defer cancel()
		<-ctx.Done()
		return context.Cause(ctx)
	},
	"Recv": func(s grpc.ServerStream) error {
		for {
			if err := s.RecvMsg(new(message)); err == io.EOF { // of a server stream by REST
				<-s.Context().Done()
				return nil
			} else if err != nil {
				return err
			}
		}
	},
	"Send": func(s grpc.ServerStream) error {
		big := new(message)
		big.ProtoReflect().SetUnknown(append([]byte{0x9a, 0x06, 0x80, 0x80, 0x02}, make([]byte, 32<<10)...)) // field 99
		for {
			if err := s.SendMsg(big); err != nil {
				return errors.New("cannot send")
			}
		}
	},
}

// A stream that does not listen to Draining is ended from outside, whatever its handler waits for,
// and its client is told.
func TestEndStreams(t *testing.T) {
	transports := map[string]func(*testing.T, testHandlers) (*fixture, grpc.ClientConnInterface){
		"gRPC": func(t *testing.T, h testHandlers) (*fixture, grpc.ClientConnInterface) { return start(t, h) },
		"gRPC with a deadline": func(t *testing.T, h testHandlers) (*fixture, grpc.ClientConnInterface) {
			return start(t, h, policy(t, `{"timeout": "3600s"}`))
		},
		"REST": func(t *testing.T, h testHandlers) (*fixture, grpc.ClientConnInterface) { return rest(t, h) },
	}
	for transport, open := range transports {
		for wait, handler := range waits {
			for _, method := range []string{serverStream, bidiStream} {
				t.Run(transport+"/"+wait+method, func(t *testing.T) {
					entered := make(chan struct{})
					f, conn := open(t, testHandlers{stream: func(s grpc.ServerStream) error {
						close(entered)
						return handler(s)
					}})
					stream := openStream(t, conn, method)
					<-entered
					if n := f.EndStreams(false); n != 1 {
						t.Errorf("EndStreams() = %d, want the one that runs", n)
					}
					f.settle(t) // although the client has not read
					if err := drainStream(stream); status.Code(err) != codes.Unavailable || status.Convert(err).Message() != drainingText {
						t.Errorf("the client got %v", err)
					}
					f.wantValue(t, callsMetric, labels{"rpc_status_code": "UNAVAILABLE"}, 1)
					f.wantValue(t, rejectedMetric, labels{"rpc_method": method[1:], "reason": "draining"}, 1)
					if line := f.lines.only(t); line["level"] != "INFO" || line["reason"] != "draining" || line["error"] != drainingText {
						t.Errorf("the line is %v", line)
					}
					if f.log.String() != "" {
						t.Errorf("a stop is no fault of the service, but it logged %s", f.log)
					}
					if n := f.EndStreams(true); n != 0 {
						t.Errorf("EndStreams(), again, = %d", n)
					}
				})
			}
		}
	}
}

// Why a context has ended stands in its cause.
func TestCauseOfAnEndedStream(t *testing.T) {
	cause := make(chan error, 1)
	entered := make(chan struct{})
	f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
		close(entered)
		<-s.Context().Done()
		cause <- context.Cause(s.Context())
		return nil
	}})
	stream := openStream(t, conn, bidiStream)
	<-entered
	f.EndStreams(false)
	if err := <-cause; status.Code(err) != codes.Unavailable {
		t.Errorf("the cause is %v", err)
	}
	if err := drainStream(stream); status.Code(err) != codes.Unavailable {
		t.Errorf("the client got %v", err)
	}
}

// Uploads and unary calls finish.
func TestEndStreamsLeavesOthersAlone(t *testing.T) {
	for transport, open := range map[string]func(*testing.T, testHandlers) (*fixture, grpc.ClientConnInterface){
		"gRPC": func(t *testing.T, h testHandlers) (*fixture, grpc.ClientConnInterface) { return start(t, h) },
		"REST": func(t *testing.T, h testHandlers) (*fixture, grpc.ClientConnInterface) { return rest(t, h) },
	} {
		t.Run(transport, func(t *testing.T) {
			entered, release := make(chan struct{}, 2), make(chan struct{})
			f, conn := open(t, testHandlers{
				unary: func(ctx context.Context, in *message) (*message, error) {
					entered <- struct{}{}
					<-release
					return in, ctx.Err()
				},
				stream: func(s grpc.ServerStream) error {
					entered <- struct{}{}
					for {
						if err := s.RecvMsg(new(message)); err == io.EOF {
							return s.SendMsg(new(message))
						} else if err != nil {
							return err
						}
					}
				},
			})
			answered := make(chan error, 1)
			go func() { answered <- conn.Invoke(t.Context(), unary, new(message), new(message)) }()
			upload := openStream(t, conn, clientStream)
			<-entered
			<-entered
			if n := f.EndStreams(false); n != 0 {
				t.Errorf("EndStreams(false) = %d, want none", n)
			}
			if err := errors.Join(upload.SendMsg(new(message)), upload.CloseSend(), upload.RecvMsg(new(message))); err != nil {
				t.Errorf("the upload: %v", err)
			}
			later := openStream(t, conn, clientStream)
			<-entered
			if n := f.EndStreams(true); n != 1 {
				t.Errorf("EndStreams(true) = %d, want the upload", n)
			}
			if err := drainStream(later); status.Code(err) != codes.Unavailable {
				t.Errorf("the upload that was ended: %v", err)
			}
			close(release)
			if err := <-answered; err != nil {
				t.Errorf("the unary call: %v", err)
			}
			f.settle(t)
		})
	}
}

// A stream that comes when streams are ended already ends at once.
func TestStreamThatComesTooLate(t *testing.T) {
	for transport, open := range map[string]func(*testing.T, testHandlers) (*fixture, grpc.ClientConnInterface){
		"gRPC": func(t *testing.T, h testHandlers) (*fixture, grpc.ClientConnInterface) { return start(t, h) },
		"REST": func(t *testing.T, h testHandlers) (*fixture, grpc.ClientConnInterface) { return rest(t, h) },
	} {
		t.Run(transport, func(t *testing.T) {
			f, conn := open(t, testHandlers{stream: waits["its context"]})
			f.EndStreams(false)
			if err := drainStream(openStream(t, conn, serverStream)); status.Code(err) != codes.Unavailable {
				t.Errorf("the client got %v", err)
			}
			f.settle(t)
			f.wantValue(t, rejectedMetric, labels{"reason": "draining"}, 1)
		})
	}
}

// What a handler does wrong is told also where its stream was ended.
func TestHandlerThatBreaksAfterItsStreamWasEnded(t *testing.T) {
	for name, breaks := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			entered, done := make(chan struct{}), make(chan struct{})
			f := newChain(t, testHandlers{stream: func(s grpc.ServerStream) error {
				close(entered)
				<-s.Context().Done()
				breaks()
				return nil
			}})
			go func() {
				defer close(done)
				_ = f.method(t, bidiStream).Serve(nil, newFakeStream(t.Context()))
			}()
			<-entered
			f.EndStreams(false)
			<-done
			f.wantValue(t, callsMetric, labels{"rpc_status_code": "INTERNAL"}, 1)
			if !strings.Contains(f.log.String(), "handler") {
				t.Errorf("nothing is told of it: %s", f.log)
			}
		})
	}
}

// An ended stream burns nothing of what its method promises: a stop is announced, and the client
// connects again.
func TestEndedStreamBurnsNoObjective(t *testing.T) {
	entered := make(chan struct{})
	f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
		close(entered)
		<-s.Context().Done()
		return nil
	}}, policy(t, `{"slo": {"availability": 99.9}}`, serverStream))
	stream := openStream(t, conn, serverStream)
	<-entered
	f.EndStreams(false)
	_ = drainStream(stream)
	f.settle(t)
	f.wantValue(t, sloBadMetric, nil, 0)
}

// A stream that listens to Draining and ends in good order burns nothing either, and its line says
// why it has ended.
func TestStreamThatListensBurnsNoObjective(t *testing.T) {
	entered := make(chan struct{})
	f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
		close(entered)
		<-inbound.Draining(s.Context())
		return status.Error(codes.Unavailable, "this replica stops")
	}}, policy(t, `{"slo": {"availability": 99.9}}`, serverStream))
	stream := openStream(t, conn, serverStream)
	<-entered
	f.Drain()
	if err := drainStream(stream); status.Convert(err).Message() != "this replica stops" {
		t.Errorf("the client got %v", err)
	}
	f.settle(t)
	f.wantValue(t, sloBadMetric, nil, 0)
	f.wantValue(t, rejectedMetric, labels{"reason": "draining"}, 1)
	if line := f.lines.records(t)[0]; line["reason"] != "draining" || line["level"] != "INFO" {
		t.Errorf("the line is %v", line)
	}
}

// Plain HTTP handlers are told of the stop too, and counted by their route, but for the time that
// they are in a call.
func TestInFlight(t *testing.T) {
	leakcheck.Check(t)
	entered, release := make(chan struct{}), make(chan struct{})
	f := newChain(t, testHandlers{unary: echo})
	handler := f.HTTP(f.Route(&contract.Method{Name: "GET /download"}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-inbound.Draining(r.Context())
		<-release
	})), inbound.HTTPLimits{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/download", nil))
	}()
	<-entered
	if got := f.InFlight(); len(got) != 1 || got["GET /download"] != 1 {
		t.Errorf("InFlight() = %v", got)
	}
	f.Drain()
	close(release)
	<-done
	if got := f.InFlight(); len(got) != 0 {
		t.Errorf("InFlight() = %v at the end", got)
	}
}

func TestRequestInACallIsCountedByItsMethod(t *testing.T) {
	var f *fixture
	expect := func(where string, want map[string]int) {
		if got := f.InFlight(); len(got) != len(want) {
			t.Errorf("%s: InFlight() = %v, want %v", where, got, want)
		}
		for name, n := range want {
			if got := f.InFlight()[name]; got != n {
				t.Errorf("%s: %d in flight of %s, want %d", where, got, name, n)
			}
		}
	}
	f, conn := rest(t, testHandlers{
		unary: func(_ context.Context, in *message) (*message, error) {
			expect("in the call", map[string]int{unary[1:]: 1})
			return in, nil
		},
		stream: func(grpc.ServerStream) error {
			expect("in the stream", map[string]int{serverStream[1:]: 1})
			return nil
		},
	})
	f.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inbound.SetRoute(r.Context(), "/v1/bets/{id}")
		expect("before the call", map[string]int{"POST /v1/bets/{id}": 1})
		if err := conn.Invoke(r.Context(), unary, new(message), new(message)); err != nil {
			t.Error(err)
		}
		expect("after the call", map[string]int{"POST /v1/bets/{id}": 1})
		stream, err := conn.NewStream(r.Context(), &grpc.StreamDesc{ServerStreams: true}, serverStream)
		if err != nil {
			t.Error(err)
			return
		}
		_ = drainStream(stream)
	}), inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", "/v1/bets/1", nil))
	expect("at the end", nil)
}
