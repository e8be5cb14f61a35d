package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/leakcheck"
)

// secret stands in what must not leave the process.
const secret = "dial postgres://user:hunter2@db"

type statusCarrier struct{ st *status.Status }

func (c statusCarrier) Error() string              { return secret }
func (c statusCarrier) GRPCStatus() *status.Status { return c.st }

func TestOutcome(t *testing.T) {
	hidden := regexp.MustCompile(`^internal error, id [0-9a-f]{16}$`).MatchString
	is := func(want string) func(string) bool { return func(got string) bool { return got == want } }
	for _, tc := range []struct {
		name      string
		handler   func() error
		code      codes.Code
		label     string // of the code; empty: as gRPC writes it
		errorType bool
		message   func(string) bool
	}{
		{"ok", func() error { return nil }, codes.OK, "OK", false, is("")},
		{"status", func() error { return status.Error(codes.NotFound, "no such horse") }, codes.NotFound, "NOT_FOUND", false, is("no such horse")},
		{"wrapped status", func() error { return fmt.Errorf("%s: %w", secret, status.Error(codes.NotFound, "no such horse")) },
			codes.NotFound, "NOT_FOUND", false, is("no such horse")},
		{"joined status", func() error { return errors.Join(errors.New(secret), status.Error(codes.Aborted, "again")) },
			codes.Aborted, "ABORTED", false, is("again")},
		{"status of another type", func() error { return statusCarrier{status.New(codes.DataLoss, "lost")} }, codes.DataLoss, "DATA_LOSS", true, is("lost")},
		{"status of another type that is OK", func() error { return statusCarrier{status.New(codes.OK, "")} }, codes.Internal, "INTERNAL", true, hidden},
		{"status of another type that is nil", func() error { return statusCarrier{} }, codes.Internal, "INTERNAL", true, hidden},
		{"plain error", func() error { return errors.New(secret) }, codes.Internal, "INTERNAL", true, hidden},
		{"deadline", func() error { return fmt.Errorf("%s: %w", secret, context.DeadlineExceeded) }, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", true, is("context deadline exceeded")},
		{"cancelled", func() error { return fmt.Errorf("%s: %w", secret, context.Canceled) }, codes.Canceled, "CANCELLED", false, is("context canceled")},
		{"panic with text", func() error { panic(secret) }, codes.Internal, "INTERNAL", true, hidden},
		{"panic with a status", func() error { panic(status.Error(codes.NotFound, secret)) }, codes.Internal, "INTERNAL", true, hidden},
		{"panic with nil", func() error { panic(nil) }, codes.Internal, "INTERNAL", true, hidden}, //nolint:govet // the runtime makes an error of it
		{"panic of the runtime", func() error { var m map[string]int; m["a"] = 1; return nil }, codes.Internal, "INTERNAL", true, hidden},
		{"code unknown to gRPC", func() error { return status.Error(codes.Code(4711), "odd") }, codes.Code(4711), "UNKNOWN", true, is("odd")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, conn := start(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { return in, tc.handler() }})
			err := conn.Invoke(t.Context(), unary, new(message), new(message))

			if got := status.Convert(err); got.Code() != tc.code || !tc.message(got.Message()) {
				t.Errorf("the caller got %v %q, want %v", got.Code(), got.Message(), tc.code)
			}
			errorType := ""
			if tc.errorType {
				errorType = tc.label
			}
			f.wantValue(t, callsMetric, labels{"rpc_method": "test.v1.Test/Unary", "rpc_status_code": tc.label, "error_type": errorType}, 1)
			f.wantValue(t, callsMetric, nil, 1)
			f.wantValue(t, inFlightMetric, nil, 0)
			f.wantValue(t, rejectedMetric, nil, 0)
			line := f.lines.only(t)
			if line["code"] != tc.label {
				t.Errorf("the line says %v, want %s", line["code"], tc.label)
			}
			if level := map[bool]string{false: "INFO", true: "ERROR"}[tc.errorType]; line["level"] != level {
				t.Errorf("the line has level %v, want %s", line["level"], level)
			}
			if strings.Contains(f.lines.String(), secret) {
				t.Error("the line tells what the caller must not see")
			}
		})
	}
}

func TestErrorTypeOfEachCode(t *testing.T) {
	var code codes.Code
	f, conn := start(t, testHandlers{unary: func(context.Context, *message) (*message, error) { return nil, status.Error(code, "") }})
	faults := map[string]bool{
		"UNKNOWN": true, "DEADLINE_EXCEEDED": true, "UNIMPLEMENTED": true, "INTERNAL": true, "UNAVAILABLE": true, "DATA_LOSS": true,
	}
	for code = codes.Canceled; code <= codes.Unauthenticated; code++ {
		_ = conn.Invoke(t.Context(), unary, new(message), new(message))
	}
	for i, line := range f.lines.records(t) {
		name := line["code"].(string)
		var parsed codes.Code
		if err := parsed.UnmarshalJSON([]byte(`"` + name + `"`)); err != nil || parsed != codes.Code(i+1) {
			t.Errorf("code %d is named %s, which gRPC reads as %v, %v", i+1, name, parsed, err)
		}
		want := ""
		if faults[name] {
			want = name
		}
		f.wantValue(t, callsMetric, labels{"rpc_status_code": name, "error_type": want}, 1)
	}
}

// The text of what went wrong goes to the log, under the id that the caller has.
func TestHiddenErrorIsLoggedUnderItsID(t *testing.T) {
	for _, tc := range []struct {
		name, what string
		handler    func() error
		stack      bool
	}{
		{"error", "handler returned an error that is no status", func() error { return errors.New(secret) }, false},
		{"panic", "handler panicked", func() error { panic(secret) }, true},
		{"panic with an error", "handler panicked", func() error { panic(errors.New(secret)) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, conn := start(t, testHandlers{unary: func(context.Context, *message) (*message, error) { return nil, tc.handler() }})
			message := status.Convert(conn.Invoke(t.Context(), unary, new(message), new(message))).Message()

			record, line := f.log.only(t), f.lines.only(t)
			if record["msg"] != tc.what || record["error"] != secret || record["method"] != "test.v1.Test/Unary" {
				t.Errorf("logged %v, want %q with the error and the method", record, tc.what)
			}
			if id, _ := record["error_id"].(string); id == "" || !strings.HasSuffix(message, id) {
				t.Errorf("the caller got %q, the log has the id %v", message, record["error_id"])
			}
			if line["error"] != message {
				t.Errorf("the line says %v, the caller got %q", line["error"], message)
			}
			if record["trace_id"] != line["trace_id"] || record["span_id"] != line["span_id"] || line["trace_id"] == nil {
				t.Errorf("the error is logged with the trace %v, the call with %v", record["trace_id"], line["trace_id"])
			}
			if stack, _ := record["stack"].(string); strings.Contains(stack, "TestHiddenErrorIsLoggedUnderItsID") != tc.stack {
				t.Errorf("the stack names the handler: %v, want %v\n%s", !tc.stack, tc.stack, stack)
			}
			f.wantValue(t, panicsMetric, labels{"where": "rpc"}, map[bool]float64{true: 1}[tc.stack])
		})
	}
}

func TestPanicInStream(t *testing.T) {
	for _, method := range []string{serverStream, clientStream, bidiStream} {
		for name, messages := range map[string]int{"at once": 0, "after a message": 1} {
			t.Run(method+" "+name, func(t *testing.T) {
				f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
					if err := s.RecvMsg(new(message)); err != nil {
						return err
					}
					for range messages {
						if err := s.SendMsg(new(message)); err != nil {
							return err
						}
					}
					panic(secret)
				}})
				stream := openStream(t, conn, method)
				if err := stream.SendMsg(new(message)); err != nil {
					t.Fatal(err)
				}
				if method != bidiStream {
					if err := stream.CloseSend(); err != nil {
						t.Fatal(err)
					}
				}
				err := drainStream(stream)
				if st := status.Convert(err); st.Code() != codes.Internal || strings.Contains(st.Message(), secret) || !strings.Contains(st.Message(), "id ") {
					t.Errorf("the caller got %v, want INTERNAL with an id and nothing else", err)
				}
				f.wantValue(t, callsMetric, labels{"rpc_method": method[1:], "rpc_status_code": "INTERNAL", "error_type": "INTERNAL"}, 1)
				f.wantValue(t, panicsMetric, labels{"where": "rpc"}, 1)
				f.wantValue(t, inFlightMetric, nil, 0)
				if record := f.log.only(t); record["error"] != secret {
					t.Errorf("logged %v, want the text of the panic", record)
				}
			})
		}
	}
}

func TestServiceLivesAfterPanics(t *testing.T) {
	_, conn := start(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		if len(in.Fields) > 0 {
			panic("boom")
		}
		return in, nil
	}})
	for range 20 {
		_ = conn.Invoke(t.Context(), unary, fields(t, map[string]any{"a": 1}), new(message))
	}
	if err := conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil {
		t.Errorf("after panics: %v", err)
	}
}

// A goroutine that ends itself has no answer to give, but is counted and logged like a panic.
func TestGoexit(t *testing.T) {
	leakcheck.Check(t)
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { runtime.Goexit(); return nil, nil }})
		m := f.method(t, unary)
		go func() { _ = m.Serve(nil, newFakeStream(t.Context())) }()
		synctest.Wait()
		f.wantValue(t, callsMetric, labels{"rpc_status_code": "INTERNAL", "error_type": "INTERNAL"}, 1)
		f.wantValue(t, inFlightMetric, nil, 0)
		f.wantValue(t, panicsMetric, nil, 0)
		if record := f.log.only(t); record["msg"] != "handler ended its goroutine" {
			t.Errorf("logged %v", record)
		}
	})
}
