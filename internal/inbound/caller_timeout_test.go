package inbound_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// takesTimeout is what stands before a route's handler.
func takesTimeout(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if inbound.TakeTimeout(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// The earliest of the caller's word, the server's limit for REST and the method's own ends the
// call.
func TestCallersTimeoutShortens(t *testing.T) {
	for name, test := range map[string]struct {
		header, value string
		rest, method  time.Duration
		want          time.Duration
	}{
		"seconds":             {"Request-Timeout", "2", 8 * time.Second, 10 * time.Second, 2 * time.Second},
		"a fraction":          {"Request-Timeout", "0.25", 8 * time.Second, 10 * time.Second, 250 * time.Millisecond},
		"gRPC's":              {"Grpc-Timeout", "300m", 8 * time.Second, 10 * time.Second, 300 * time.Millisecond},
		"no other limit":      {"Request-Timeout", "3", 0, 0, 3 * time.Second},
		"REST's is earlier":   {"Request-Timeout", "60", 8 * time.Second, 10 * time.Second, 8 * time.Second},
		"method's is earlier": {"Grpc-Timeout", "1H", 8 * time.Second, time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			synctest.Test(t, func(t *testing.T) {
				var told time.Duration
				f := newChain(t, testHandlers{unary: func(ctx context.Context, _ *message) (*message, error) {
					at, _ := ctx.Deadline()
					told = time.Until(at)
					<-ctx.Done()
					time.Sleep(time.Minute) // and still does not return
					return nil, ctx.Err()
				}}, withTimeout(test.method))
				conn := f.Conn(inbound.RESTConfig{Timeout: test.rest})
				w := &timedWriter{ResponseRecorder: httptest.NewRecorder(), start: time.Now()}
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set(test.header, test.value)
				f.HTTP(takesTimeout(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Grpc-Timeout") != "" {
						t.Error("the gateway would set a deadline of its own")
					}
					_ = conn.Invoke(r.Context(), unary, new(message), new(message))
				})), inbound.HTTPLimits{}).ServeHTTP(w, r)
				if w.Code != http.StatusGatewayTimeout || w.after != test.want || told != test.want {
					t.Errorf("answered %d after %v, the handler had %v, want 504 after %v", w.Code, w.after, told, test.want)
				}
			})
		})
	}
}

// A caller's time runs while its body arrives, too; when it is over, no handler runs.
func TestCallersTimeoutIsOver(t *testing.T) {
	for name, test := range map[string]struct {
		value string
		spent time.Duration
	}{"zero": {"0", 0}, "spent": {"1.5", 1500 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			synctest.Test(t, func(t *testing.T) {
				f := newChain(t, testHandlers{
					unary:  func(context.Context, *message) (*message, error) { t.Error("the handler runs"); return nil, nil },
					stream: func(grpc.ServerStream) error { t.Error("the handler runs"); return nil },
				})
				routes := f.restRoutes(inbound.RESTConfig{Timeout: 8 * time.Second})
				for _, target := range []string{"POST /unary", "GET /stream"} {
					method, path, _ := strings.Cut(target, " ")
					r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
					r.Header.Set("Request-Timeout", test.value)
					w := httptest.NewRecorder()
					f.HTTP(takesTimeout(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						time.Sleep(test.spent)
						routes.ServeHTTP(w, r)
					})), inbound.HTTPLimits{}).ServeHTTP(w, r)
					if w.Code != http.StatusGatewayTimeout || !strings.Contains(w.Body.String(), "DEADLINE_EXCEEDED") {
						t.Errorf("%s: answered %d %s", target, w.Code, w.Body)
					}
				}
				f.wantValue(t, rejectedMetric, labels{"reason": "deadline"}, 2)
				f.wantValue(t, callsMetric, labels{"rpc_status_code": "DEADLINE_EXCEEDED"}, 2)
			})
		})
	}
}

// A stream by REST has the caller's deadline as one by gRPC has.
func TestCallersTimeoutOfAStream(t *testing.T) {
	leakcheck.Check(t)
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{stream: func(s grpc.ServerStream) error {
			if err := s.SendMsg(new(message)); err != nil {
				return err
			}
			<-s.Context().Done()
			return s.Context().Err()
		}})
		start := time.Now()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/stream", nil)
		r.Header.Set("Request-Timeout", "20")
		f.HTTP(takesTimeout(f.restRoutes(inbound.RESTConfig{Timeout: 8 * time.Second})), inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("the stream ended after %v", took)
		}
		synctest.Wait() // the request does not wait for the handler
		f.wantValue(t, callsMetric, labels{"rpc_status_code": "DEADLINE_EXCEEDED"}, 1)
	})
}

func TestCallersTimeoutIsMalformed(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { t.Error("the handler runs"); return nil, nil }})
	for name, value := range map[string]string{"Request-Timeout": "soon", "Grpc-Timeout": "5 seconds"} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/unary", nil)
		r.Header.Set(name, value)
		w := httptest.NewRecorder()
		f.HTTP(takesTimeout(f.restRoutes(inbound.RESTConfig{})), inbound.HTTPLimits{}).ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), name+" must be") {
			t.Errorf("%s: answered %d %s", name, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), value) {
			t.Errorf("the answer repeats %q", value)
		}
	}
}

// Without a header it costs nothing, and outside of a request it does nothing.
func TestCallersTimeoutIsAbsent(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/unary", nil)
	w := httptest.NewRecorder()
	if n := testing.AllocsPerRun(100, func() {
		if !inbound.TakeTimeout(w, r) {
			t.Error("refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	r.Header.Set("Request-Timeout", "soon")
	if !inbound.TakeTimeout(w, r) {
		t.Error("refused outside of the chain")
	}
}
