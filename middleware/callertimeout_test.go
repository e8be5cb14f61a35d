package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/middleware"
)

// takesTimeout is what stands before a route's handler.
func takesTimeout(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if middleware.TakeTimeout(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// The earliest of the caller's word, the server's limit for REST and the method's own ends the call.
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
				conn := f.Conn(middleware.RESTConfig{Timeout: test.rest})
				w := &timedWriter{ResponseRecorder: httptest.NewRecorder(), start: time.Now()}
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set(test.header, test.value)
				f.HTTP(takesTimeout(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Grpc-Timeout") != "" {
						t.Error("the gateway would set a deadline of its own")
					}
					_ = conn.Invoke(r.Context(), unary, new(message), new(message))
				})), middleware.HTTPLimits{}).ServeHTTP(w, r)
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
				routes := f.restRoutes(middleware.RESTConfig{Timeout: 8 * time.Second})
				for _, target := range []string{"POST /unary", "GET /stream"} {
					method, path, _ := strings.Cut(target, " ")
					r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
					r.Header.Set("Request-Timeout", test.value)
					w := httptest.NewRecorder()
					f.HTTP(takesTimeout(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						time.Sleep(test.spent)
						routes.ServeHTTP(w, r)
					})), middleware.HTTPLimits{}).ServeHTTP(w, r)
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
		f.HTTP(takesTimeout(f.restRoutes(middleware.RESTConfig{Timeout: 8 * time.Second})), middleware.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("the stream ended after %v", took)
		}
		synctest.Wait() // the request does not wait for the handler
		f.wantValue(t, callsMetric, labels{"rpc_status_code": "DEADLINE_EXCEEDED"}, 1)
	})
}

func TestCallersTimeoutIsRead(t *testing.T) {
	const most = 1000 * time.Hour
	for _, test := range []struct {
		seconds, units []string
		want           time.Duration // negative: malformed
	}{
		{seconds: []string{"2"}, want: 2 * time.Second},
		{seconds: []string{"0.000000001"}, want: 1},
		{seconds: []string{"12.5"}, want: 12500 * time.Millisecond},
		{seconds: []string{"999999999999"}, want: most},
		{seconds: []string{"3", "2"}, want: 2 * time.Second},
		{seconds: []string{"3"}, units: []string{"2S"}, want: 2 * time.Second},
		{seconds: []string{"1"}, units: []string{"2S"}, want: time.Second},
		{seconds: []string{""}, want: -1},
		{seconds: []string{"-1"}, want: -1},
		{seconds: []string{"+1"}, want: -1},
		{seconds: []string{"1e3"}, want: -1},
		{seconds: []string{".5"}, want: -1},
		{seconds: []string{"5."}, want: -1},
		{seconds: []string{"1.2.3"}, want: -1},
		{seconds: []string{"2s"}, want: -1},
		{seconds: []string{" 2"}, want: -1},
		{seconds: []string{"0.0000000001"}, want: -1},
		{seconds: []string{"1111111111111"}, want: -1},
		{seconds: []string{"2", "x"}, want: -1},
		{units: []string{"1H"}, want: time.Hour},
		{units: []string{"2M"}, want: 2 * time.Minute},
		{units: []string{"5m"}, want: 5 * time.Millisecond},
		{units: []string{"6u"}, want: 6 * time.Microsecond},
		{units: []string{"99999999n"}, want: 99999999},
		{units: []string{"99999999H"}, want: most},
		{units: []string{"S"}, want: -1},
		{units: []string{"5"}, want: -1},
		{units: []string{"5s"}, want: -1},
		{units: []string{"1.5S"}, want: -1},
		{units: []string{"123456789S"}, want: -1},
		{seconds: []string{"1"}, units: []string{"-5S"}, want: -1},
	} {
		got, err := middleware.ShortestTimeout(test.seconds, test.units)
		if (err != nil) != (test.want < 0) || err == nil && got != test.want {
			t.Errorf("%q, %q: %v, %v; want %v", test.seconds, test.units, got, err, test.want)
		}
	}
}

func TestCallersTimeoutIsMalformed(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { t.Error("the handler runs"); return nil, nil }})
	for name, value := range map[string]string{"Request-Timeout": "soon", "Grpc-Timeout": "5 seconds"} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/unary", nil)
		r.Header.Set(name, value)
		w := httptest.NewRecorder()
		f.HTTP(takesTimeout(f.restRoutes(middleware.RESTConfig{})), middleware.HTTPLimits{}).ServeHTTP(w, r)
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
		if !middleware.TakeTimeout(w, r) {
			t.Error("refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	r.Header.Set("Request-Timeout", "soon")
	if !middleware.TakeTimeout(w, r) {
		t.Error("refused outside of the chain")
	}
}

// What is read is what a client of ours writes, and what gRPC's own gateway makes of its form.
func FuzzCallersTimeout(f *testing.F) {
	for _, seed := range []string{"2", "0.25", "300m", "99999999H", "", "1e9", "-1", "5 s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, form := range [][2][]string{{{value}, nil}, {nil, {value}}} {
			d, err := middleware.ShortestTimeout(form[0], form[1])
			if err == nil && (d < 0 || d > 1000*time.Hour) {
				t.Errorf("%q is %v", value, d)
			}
		}
		d, err := middleware.ShortestTimeout([]string{value}, nil)
		if err != nil || d < time.Millisecond {
			return
		}
		again, err := middleware.ShortestTimeout([]string{middleware.FormatSeconds(d)}, nil)
		if err != nil || again != d.Truncate(time.Millisecond) {
			t.Errorf("%q is %v, written and read again %v, %v", value, d, again, err)
		}
	})
}
