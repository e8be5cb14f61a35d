package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// wantQuiet fails for lines at WARN or ERROR: whoever made the calls could make as many as it
// likes.
func (f *fixture) wantQuiet(t *testing.T) {
	t.Helper()
	for _, line := range append(f.log.records(t), f.lines.records(t)...) {
		if line["level"] == "ERROR" || line["level"] == "WARN" {
			t.Errorf("a caller brings about the line %v", line)
		}
	}
}

// What a caller does wrong, or does not wait for, is no failure of the service, whatever code gRPC
// has for it.
func TestCallersFaultsAreNoErrors(t *testing.T) {
	send := func(f *fixture, conn *grpc.ClientConn, messages ...any) error {
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, clientStream, grpc.ForceCodec(rawCodec{}))
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := stream.SendMsg(m); err != nil {
				break // which the handler has ended
			}
		}
		var answer []byte
		return stream.RecvMsg(&answer)
	}
	for name, call := range map[string]func(f *fixture, conn *grpc.ClientConn) error{
		"unknown method": func(_ *fixture, c *grpc.ClientConn) error {
			return c.Invoke(t.Context(), "/a.B/C", new(message), new(message))
		},
		"malformed": func(_ *fixture, c *grpc.ClientConn) error {
			return c.Invoke(t.Context(), unary, []byte{0xff}, new(message), grpc.ForceCodec(rawCodec{}))
		},
		"malformed in a stream": func(f *fixture, c *grpc.ClientConn) error { return send(f, c, []byte{}, []byte{0xff}) },
		"first of a stream":     func(f *fixture, c *grpc.ClientConn) error { return send(f, c, []byte{0xff}) },
		"too large":             func(f *fixture, c *grpc.ClientConn) error { return send(f, c, []byte{}, make([]byte, 3000)) },
		"no time at all": func(f *fixture, _ *grpc.ClientConn) error {
			ctx, cancel := context.WithTimeout(t.Context(), -1)
			defer cancel()
			return f.method(t, unary).Serve(nil, newFakeStream(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, conn := start(t, testHandlers{unary: echo, stream: receive}, policy(t, `{"slo": {"availability": 99.9}}`), func(s *setup) {
				s.server = []grpc.ServerOption{grpc.MaxRecvMsgSize(1024)}
			})
			for range 3 {
				if err := call(f, conn); err == nil {
					t.Error("the call went well")
				}
			}
			f.settle(t)
			f.wantQuiet(t)
			f.wantValue(t, sloBadMetric, nil, 0)
		})
	}
}

// Neither is what a handler makes of the end of a caller that does not wait; of the end of the
// method's own time it is.
func TestHastyCallersAreNoErrors(t *testing.T) {
	for name, end := range map[string]func(context.Context) error{
		"as it is":  func(ctx context.Context) error { return ctx.Err() },
		"wrapped":   func(ctx context.Context) error { return fmt.Errorf("query: %w", ctx.Err()) },
		"no status": func(context.Context) error { return errors.New("query failed") },
		"a status":  func(context.Context) error { return status.Error(codes.Internal, "query failed") },
		"of another": func(context.Context) error {
			return status.Error(codes.Unavailable, "dial tcp 10.0.0.1:5432: canceled")
		},
	} {
		for who, test := range map[string]struct {
			caller time.Duration
			quiet  bool
		}{"the caller": {10 * time.Millisecond, true}, "the method": {time.Hour, false}} {
			t.Run(name+" after the end of "+who, func(t *testing.T) {
				leakcheck.Check(t)
				f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
					<-ctx.Done()
					return in, end(ctx)
				}}, policy(t, `{"timeout": "0.2s", "public": true}`))
				f.SetTrustDomain("test")
				ctx, cancel := context.WithTimeout(t.Context(), test.caller)
				defer cancel()
				_ = f.method(t, unary).Serve(nil, newFakeStream(ctx))
				if test.quiet {
					f.wantQuiet(t)
				} else if line := f.lines.only(t); line["level"] != "ERROR" {
					t.Errorf("the line is %v", line)
				}
			})
		}
	}
}

// A handler that panics is at fault although its caller has gone.
func TestPanicAfterTheCallerHasGone(t *testing.T) {
	for name, end := range map[string]func() error{"panics": func() error { panic("boom") }, "error that panics": func() error { return (*brokenError)(nil) }} {
		t.Run(name, func(t *testing.T) {
			f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) { <-ctx.Done(); return in, end() }})
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_ = f.method(t, unary).Serve(nil, newFakeStream(ctx))
			if line := f.lines.only(t); line["level"] != "ERROR" || f.log.only(t)["level"] != "ERROR" {
				t.Errorf("the lines are %v and %s", line, f.log)
			}
		})
	}
}

type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }

// A plain request that fails as its caller has gone is none that the service has failed.
func TestPlainRequestWhoseCallerHasGone(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{})
	url := f.serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		if r.URL.Path == "/aborts" {
			panic(http.ErrAbortHandler) // as a reverse proxy does
		}
		w.WriteHeader(http.StatusBadGateway)
	}), inbound.HTTPLimits{})
	for i, path := range []string{"/aborts", "/fails"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		cancel()
		f.until(t, "a line of the request", func() bool { return len(f.log.records(t)) > i })
	}
	f.wantQuiet(t)
}

// The log says which of the deadlines has ended a call.
func TestWhichDeadline(t *testing.T) {
	byREST := inbound.RESTConfig{Timeout: 20 * time.Millisecond}
	for name, test := range map[string]struct {
		change func(*setup)
		caller time.Duration
		rest   bool
		want   string
	}{
		"caller":              {withTimeout(time.Hour), 10 * time.Millisecond, false, "the caller's deadline"},
		"default":             {withTimeout(10 * time.Millisecond), 0, false, "the timeout of methods that declare none, 10ms"},
		"contract":            {policy(t, `{"timeout": "0.01s"}`), time.Hour, false, "the method's timeout of 10ms"},
		"caller by REST":      {withTimeout(time.Hour), 10 * time.Millisecond, true, "the caller's deadline"},
		"default by REST":     {withTimeout(time.Hour), 0, true, "the timeout of calls by REST whose method declares none, 20ms"},
		"earlier by REST":     {withTimeout(10 * time.Millisecond), 0, true, "the timeout of methods that declare none, 10ms"},
		"contract by REST":    {policy(t, `{"timeout": "0.05s"}`), 0, true, "the method's timeout of 50ms"},
		"contract is earlier": {policy(t, `{"timeout": "0.01s"}`), 0, true, "the method's timeout of 10ms"},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) { <-ctx.Done(); return in, ctx.Err() }}, test.change)
			if test.rest {
				header := []string{}
				if test.caller > 0 {
					header = []string{"Request-Timeout", fmt.Sprint(test.caller.Seconds())}
				}
				if got := ask(t, "POST", f.serveHTTP(t, takesTimeout(f.restRoutes(byREST)), inbound.HTTPLimits{})+"/unary", nil, header...); got.status != 504 {
					t.Errorf("answered %d", got.status)
				}
				f.settle(t)
			} else {
				ctx, cancel := context.WithCancel(t.Context())
				if test.caller > 0 {
					ctx, cancel = context.WithTimeout(ctx, test.caller)
				}
				defer cancel()
				_ = f.method(t, unary).Serve(nil, newFakeStream(ctx))
			}
			if line := f.lines.only(t); line["code"] != "DEADLINE_EXCEEDED" || line["explain"] != test.want {
				t.Errorf("the line is %v, want it explained with %q", line, test.want)
			}
		})
	}
}

// The transport keeps the deadline of a stream: the log tells the method's from the caller's all
// the same.
func TestWhichDeadlineOfAStream(t *testing.T) {
	for name, test := range map[string]struct {
		caller time.Duration
		rest   bool
		want   string
	}{
		"method's":         {time.Hour, false, "the method's timeout of 20ms"},
		"caller's":         {10 * time.Millisecond, false, "the caller's deadline"},
		"method's by REST": {time.Hour, true, "the method's timeout of 20ms"},
		"caller's by REST": {10 * time.Millisecond, true, "the caller's deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newChain(t, testHandlers{stream: func(s grpc.ServerStream) error {
				<-s.Context().Done()
				return s.Context().Err()
			}}, policy(t, `{"timeout": "0.02s"}`))
			ctx, cancel := context.WithTimeout(t.Context(), test.caller)
			defer cancel()
			if test.rest {
				stream, err := f.Conn(inbound.RESTConfig{}).NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, serverStream)
				if err != nil {
					t.Fatal(err)
				}
				_ = stream.RecvMsg(new(message)) // returns when the stream has ended
			} else {
				bounded, err := f.Tap(ctx, &tap.Info{FullMethodName: serverStream})
				if err != nil {
					t.Fatal(err)
				}
				_ = f.method(t, serverStream).Serve(nil, newFakeStream(bounded))
			}
			f.settle(t)
			if line := f.lines.only(t); line["code"] != "DEADLINE_EXCEEDED" || line["explain"] != test.want {
				t.Errorf("the line is %v, want it explained with %q", line, test.want)
			}
		})
	}
}
