package inbound_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// A handler that ignores its context does not keep its caller waiting, and what it says later is
// lost.
func TestAnswerAtTheDeadline(t *testing.T) {
	leakcheck.Check(t)
	release := make(chan struct{})
	f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { <-release; return in, nil }})
	conn := f.Conn(inbound.RESTConfig{Timeout: 20 * time.Millisecond})
	wrote := make(chan error, 1)
	url := f.serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := conn.Invoke(r.Context(), unary, new(message), new(message))
		if err == nil {
			t.Error("the gateway is told that it may answer")
		}
		w.Header().Set("Late", "1")
		w.WriteHeader(http.StatusTeapot)
		_, err = w.Write([]byte("late"))
		w.(http.Flusher).Flush()
		wrote <- err
	}), inbound.HTTPLimits{})

	got := ask(t, "GET", url, nil) // returns while the handler still runs
	p := got.problem(t)
	if got.status != http.StatusGatewayTimeout || p["code"] != "DEADLINE_EXCEEDED" || !got.close || got.header.Get("Late") != "" {
		t.Errorf("the answer is %+v", got)
	}
	f.wantValue(t, inFlightMetric, nil, 1)
	close(release)
	if err := <-wrote; err != http.ErrHandlerTimeout {
		t.Errorf("the late write = %v, want http.ErrHandlerTimeout", err)
	}
	f.until(t, "the request is counted", func() bool { return f.value(t, requestsMetric, nil) > 0 })
	f.wantValue(t, requestsMetric, labels{"http_response_status_code": "504"}, 1)
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "DEADLINE_EXCEEDED"}, 1) // although its handler answered in the end
}

func TestTheEarlierTimeoutAnswers(t *testing.T) {
	declares := func(timeout string) func(*setup) { return policy(t, `{"timeout": "`+timeout+`"}`) }
	for name, tc := range map[string]struct {
		rest   time.Duration
		method func(*setup)
		want   time.Duration
	}{
		"REST's":               {8 * time.Second, withTimeout(10 * time.Second), 8 * time.Second},
		"the other default":    {8 * time.Second, withTimeout(time.Second), time.Second},
		"the only default":     {0, withTimeout(3 * time.Second), 3 * time.Second},
		"a declared one":       {8 * time.Second, declares("2s"), 2 * time.Second},
		"a later declared one": {8 * time.Second, declares("20s"), 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			synctest.Test(t, func(t *testing.T) {
				f := newChain(t, testHandlers{unary: func(ctx context.Context, _ *message) (*message, error) {
					<-ctx.Done()
					time.Sleep(time.Minute) // and still does not return
					return nil, ctx.Err()
				}}, tc.method)
				conn := f.Conn(inbound.RESTConfig{Timeout: tc.rest})
				w := &timedWriter{ResponseRecorder: httptest.NewRecorder(), start: time.Now()}
				f.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_ = conn.Invoke(r.Context(), unary, new(message), new(message))
				}), inbound.HTTPLimits{}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if w.Code != http.StatusGatewayTimeout || w.after != tc.want {
					t.Errorf("answered %d after %v, want 504 after %v", w.Code, w.after, tc.want)
				}
				f.wantValue(t, callsMetric, labels{"rpc_status_code": "DEADLINE_EXCEEDED"}, 1)
			})
		})
	}
}

// A handler that comes back when its time is over meets the answer that is made for it: there is
// one of the two, and they do not write to the header at once.
func TestAnswersAtOneTime(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			f := newChain(t, testHandlers{unary: func(ctx context.Context, _ *message) (*message, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}, withTimeout(time.Second))
			conn := f.Conn(inbound.RESTConfig{})
			w := httptest.NewRecorder()
			f.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				err := conn.Invoke(r.Context(), unary, new(message), new(message))
				for _, name := range []string{"A", "B", "C"} {
					w.Header().Set(name, "1")
				}
				inbound.WriteError(w, r, err, func(codes.Code) int { return http.StatusGatewayTimeout })
			}), inbound.HTTPLimits{}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			synctest.Wait()
			answers := strings.Count(w.Body.String(), `"code"`)
			if own := len(w.Result().Header["C"]); w.Code != http.StatusGatewayTimeout || answers != 1 || own > 1 {
				t.Errorf("%d answers, %d of the handler's headers, status %d: %s", answers, own, w.Code, w.Body)
			}
		})
	}
}

type timedWriter struct {
	*httptest.ResponseRecorder
	start time.Time
	after time.Duration
}

func (w *timedWriter) WriteHeader(status int) {
	w.after = time.Since(w.start)
	w.ResponseRecorder.WriteHeader(status)
}

// An answer that has begun is not taken over.
func TestNoAnswerAtTheDeadlineOnceBegun(t *testing.T) {
	for name, begin := range map[string]func(http.ResponseWriter){
		"written": func(w http.ResponseWriter) { _, _ = w.Write([]byte("begun")) },
		"flushed": func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"header":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) },
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			synctest.Test(t, func(t *testing.T) {
				f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { time.Sleep(time.Minute); return in, nil }})
				conn := f.Conn(inbound.RESTConfig{Timeout: time.Second})
				w := httptest.NewRecorder()
				f.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					begin(w)
					if err := conn.Invoke(r.Context(), unary, new(message), new(message)); err != nil {
						t.Error(err)
					}
					_, _ = w.Write([]byte(" end"))
				}), inbound.HTTPLimits{}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if got := w.Body.String(); w.Code >= 300 || len(got) > len("begun end") {
					t.Errorf("answered %d %q", w.Code, got)
				}
			})
		})
	}
}

// A call that never comes back leaves no timer behind on a writer that is no longer its own.
func TestNoAnswerAtTheDeadlineOfAGoneCall(t *testing.T) {
	leakcheck.Check(t)
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { runtime.Goexit(); return nil, nil }})
		conn := f.Conn(inbound.RESTConfig{Timeout: time.Second})
		w := httptest.NewRecorder()
		f.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_ = conn.Invoke(r.Context(), unary, new(message), new(message))
			}()
			<-gone
		}), inbound.HTTPLimits{}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		time.Sleep(time.Minute)
		if w.Code != http.StatusOK || w.Body.Len() > 0 {
			t.Errorf("answered %d %q after the request", w.Code, w.Body)
		}
	})
}

// A stream's client goes away: the handler's context ends, and the request waits for the handler to
// return.
func TestRequestWaitsForTheHandlerOfItsStream(t *testing.T) {
	leakcheck.Check(t)
	var returned atomic.Bool
	began := make(chan struct{})
	f := newChain(t, testHandlers{stream: func(s grpc.ServerStream) error {
		if err := s.SendMsg(new(message)); err != nil {
			return err
		}
		close(began)
		<-s.Context().Done()
		time.Sleep(20 * time.Millisecond) // cleaning up, behind a real connection
		returned.Store(true)
		return s.Context().Err()
	}})
	ended := make(chan bool, 1)
	chain := f.HTTP(f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chain.ServeHTTP(w, r)
		ended <- returned.Load()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, len("message\n"))); err != nil {
		t.Fatal(err)
	}
	<-began
	cancel()
	_ = response.Body.Close()
	if !<-ended {
		t.Error("the request ended before its handler")
	}
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "CANCELLED"}, 1)
	f.wantValue(t, inFlightMetric, nil, 0)
}

// Panics in streams by REST are one call's matter.
func TestPanicInAStreamOverHTTP(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{stream: func(s grpc.ServerStream) error {
		if err := s.SendMsg(new(message)); err != nil {
			return err
		}
		panic(secret)
	}})
	url := f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{})
	if got := ask(t, "GET", url+"/stream", nil); got.status != http.StatusOK || got.body != "message\n" {
		t.Errorf("the answer is %+v", got)
	}
	f.wantValue(t, panicsMetric, labels{"where": "rpc"}, 1)
	if line := f.lines.only(t); line["code"] != "INTERNAL" || line["protocol"] != "http" {
		t.Errorf("logged %v, want %v", line, codes.Internal)
	}
}
