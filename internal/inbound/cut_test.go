package inbound_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// A call that a stop cuts is none that its caller has given up, whatever its handler makes of its
// ended context.
func TestCutCall(t *testing.T) {
	for name, handler := range map[string]unaryFunc{
		"returns the end": func(ctx context.Context, in *message) (*message, error) { <-ctx.Done(); return in, ctx.Err() },
		"makes another":   func(ctx context.Context, in *message) (*message, error) { <-ctx.Done(); return in, errors.New("gone") },
		"returns a status": func(ctx context.Context, in *message) (*message, error) {
			<-ctx.Done()
			return in, status.Error(codes.Internal, "gone")
		},
		"answers": func(ctx context.Context, in *message) (*message, error) { <-ctx.Done(); return in, nil },
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			entered := make(chan struct{})
			f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
				close(entered)
				return handler(ctx, in)
			}}, policy(t, `{"slo": {"availability": 99.9}}`, unary))
			transport, stop := context.WithCancel(t.Context())
			answered := make(chan error, 1)
			go func() { answered <- f.method(t, unary).Serve(nil, newFakeStream(transport)) }()
			<-entered
			f.Cut()
			stop() // as gRPC does with its connections
			if err := <-answered; status.Code(err) != codes.Unavailable {
				t.Errorf("the caller got %v", err)
			}
			f.wantValue(t, callsMetric, labels{"rpc_status_code": "UNAVAILABLE"}, 1)
			f.wantValue(t, rejectedMetric, labels{"rpc_method": unary[1:], "reason": "shutdown"}, 1)
			f.wantValue(t, sloBadMetric, nil, 1)
			if line := f.lines.only(t); line["level"] != "WARN" || line["reason"] != "shutdown" || line["code"] != "UNAVAILABLE" {
				t.Errorf("the line is %v", line)
			}
			if f.log.String() != "" {
				t.Errorf("logged beside the line: %s", f.log)
			}
		})
	}
}

// What ends by itself, or for its caller, is not cut, and a panic is a panic.
func TestCutSparesOthers(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan error)
	f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		entered <- struct{}{}
		if err := <-release; err != nil {
			panic(err)
		}
		return in, nil
	}})
	call := func(how error) error {
		answered := make(chan error, 1)
		go func() { answered <- f.method(t, unary).Serve(nil, newFakeStream(t.Context())) }()
		<-entered
		f.Cut()
		release <- how
		return <-answered
	}
	if err := call(nil); err != nil {
		t.Errorf("a call that was answered: %v", err)
	}
	if err := call(errors.New("boom")); status.Code(err) != codes.Internal {
		t.Errorf("a call that panicked: %v", err)
	}
	f.wantValue(t, rejectedMetric, nil, 0)
}

// A request whose handler is deaf is answered in its place, by either protocol, and what the
// handler says later is lost.
func TestCutRequestIsAnswered(t *testing.T) {
	for _, p := range protocols {
		for kind, body := range map[string]func() io.Reader{
			"": func() io.Reader { return nil }, " whose body goes on": func() io.Reader { return &goesOn{} },
		} {
			t.Run(p.name+kind, func(t *testing.T) {
				leakcheck.Check(t)
				entered, release := make(chan struct{}), make(chan struct{})
				f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
					close(entered)
					<-release
					return in, nil
				}})
				conn := f.Conn(inbound.RESTConfig{})
				m := f.serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					inbound.SetRoute(r.Context(), "/call")
					_ = conn.Invoke(r.Context(), unary, new(message), new(message))
					_, _ = w.Write([]byte("too late"))
				}), inbound.HTTPLimits{})
				go func() {
					<-entered
					if n := f.Cut(); n != 1 {
						t.Errorf("Cut() = %d, want the one that runs", n)
					}
				}()
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url("/call"), body())
				if err != nil {
					t.Fatal(err)
				}
				got := m.do(t, r)
				text, _ := io.ReadAll(got.Body)
				close(release)
				if got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), "the call was cut") {
					t.Errorf("answered %d %s", got.StatusCode, text)
				}
				f.settle(t)
				f.wantValue(t, rejectedMetric, labels{"rpc_method": unary[1:], "reason": "shutdown"}, 1)
				if line := f.lines.only(t); line["code"] != "UNAVAILABLE" || line["reason"] != "shutdown" {
					t.Errorf("the line is %v", line)
				}
			})
		}
	}
}

// goesOn is a body that does not end for as long as it is read.
type goesOn struct{ read atomic.Int64 }

func (e *goesOn) Read(p []byte) (int, error) {
	if e.read.Add(int64(len(p))) > 8<<20 {
		return 0, io.ErrUnexpectedEOF
	}
	return len(p), nil
}

// A plain request that is cut has a line that says so, whether its answer had begun or not.
func TestCutPlainRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		begin  func(http.ResponseWriter)
		status float64
	}{
		"before its answer": {func(http.ResponseWriter) {}, 503},
		"within its answer": {func(w http.ResponseWriter) { _, _ = w.Write([]byte("begun")); w.(http.Flusher).Flush() }, 500},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			entered, release := make(chan struct{}), make(chan struct{})
			f := newChain(t, testHandlers{})
			url := f.serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				tc.begin(w)
				close(entered)
				<-release
			}), inbound.HTTPLimits{})
			go func() {
				<-entered
				f.Cut()
				close(release)
			}()
			_ = ask(t, "GET", url, nil)
			f.until(t, "a line of the request", func() bool { return f.log.String() != "" })
			if line := f.log.only(t); line["level"] != "WARN" || line["reason"] != "shutdown" || line["status"] != tc.status {
				t.Errorf("the line is %v, want one of a request that was cut with %v", line, tc.status)
			}
		})
	}
}

// A plain handler that has its header may write to it at any moment, so nobody answers in its
// place: two that write to one map end the process. The request is one that was cut all the same.
func TestCutLeavesTheHeader(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			leakcheck.Check(t)
			entered, release := make(chan struct{}), make(chan struct{})
			f := newChain(t, testHandlers{})
			m := f.serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				header := w.Header()
				close(entered)
				for {
					select {
					case <-release:
						return
					default:
						header.Set("Connection", "keep-alive")
						runtime.Gosched()
					}
				}
			}), inbound.HTTPLimits{})
			go func() {
				<-entered
				if n := f.Cut(); n != 0 {
					t.Errorf("Cut() = %d, want none answered", n)
				}
				close(release)
			}()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.url("/plain"), nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, m.do(t, r).Body)
			f.settle(t)
			if line := f.log.only(t); line["level"] != "WARN" || line["reason"] != "shutdown" || line["status"] != 500. {
				t.Errorf("the line is %v", line)
			}
		})
	}
}

// Requests that come and go while others are cut are neither lost nor answered twice.
func TestCutAmongOthers(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{})
	url := f.serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("done")) }), inbound.HTTPLimits{})
	for _, err := range together(50, func() error {
		if got := ask(t, "GET", url, nil); got.status != http.StatusOK && got.status != http.StatusServiceUnavailable {
			return errors.New("answered neither")
		}
		f.Cut()
		return nil
	}) {
		if err != nil {
			t.Error(err)
		}
	}
}

// CORS leaves a stop the header of a request, so that it can answer.
func TestCutRequestOfAPageIsAnswered(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		close(entered)
		<-release
		return in, nil
	}}, func(s *setup) { s.CORSOrigins = []string{"https://app.example.com"} })
	conn := f.Conn(inbound.RESTConfig{})
	handler, err := f.Surround(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = conn.Invoke(r.Context(), unary, new(message), new(message))
	}), new(inbound.Edge))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Origin", "https://app.example.com")
	go func() {
		defer close(release)
		<-entered
		if n := f.Cut(); n != 1 {
			t.Errorf("Cut() = %d, want the one that runs", n)
		}
	}()
	f.HTTP(handler, inbound.HTTPLimits{}).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}
