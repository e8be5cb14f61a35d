package inbound_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/race"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/allowance"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// withAudit gives the chain an audit log that ends with the test.
func withAudit(t testing.TB, cfg audit.Config) func(*setup) {
	t.Helper()
	log, err := audit.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close(context.Background()) }) // a sink that fails is the test's
	return func(s *setup) { s.Audit = log }
}

// A handler that panics, or that denies the call itself, leaves its record as any other.
func TestAuditOfHandlersThatFail(t *testing.T) {
	for name, test := range map[string]struct {
		handler unaryFunc
		want    string
	}{
		"panics": {func(context.Context, *message) (*message, error) { panic("no") }, `"decision":"allow","code":"INTERNAL"`},
		"exits":  {func(context.Context, *message) (*message, error) { return nil, errors.New("secret text") }, `"decision":"allow","code":"INTERNAL"`},
		"denies": {func(context.Context, *message) (*message, error) {
			return nil, status.Error(codes.PermissionDenied, "secret text")
		}, `"decision":"deny","reason":"handler","code":"PERMISSION_DENIED"`},
		"answers": {echo, `"decision":"allow","code":"OK"`},
	} {
		t.Run(name, func(t *testing.T) {
			out := new(logBuffer)
			f, conn := start(t, testHandlers{unary: test.handler}, withAudit(t, audit.Config{Policy: audit.All, Sink: out}))
			_ = conn.Invoke(t.Context(), unary, fields(t, nil), new(message)) // the record tells how it went
			f.settle(t)
			if err := f.setup.Audit.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if text := out.String(); !strings.Contains(text, test.want) || strings.Contains(text, "secret text") {
				t.Errorf("want %s and no text of the handler in\n%s", test.want, text)
			}
		})
	}
}

// A stream is recorded when it begins: it may have no end for days.
func TestAuditOfAStreamThatRuns(t *testing.T) {
	out := new(logBuffer)
	f := newChain(t, testHandlers{}, withAudit(t, audit.Config{Policy: audit.All, Sink: out}))
	m, stream := f.method(t, serverStream), newReused(t)
	_ = m.Serve(nil, stream) // its handler is nil, and panics
	if err := f.setup.Audit.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin, end, ok := strings.Cut(out.String(), `"event":"end"`)
	if !ok || !strings.Contains(begin, `"event":"begin","protocol":"grpc","method":"test.v1.Test/ServerStream","caller":"spiffe://betmakers/client"`) || !strings.Contains(end, `"code":"INTERNAL"`) {
		t.Errorf("got\n%s", out.String())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A call that cannot be recorded does not run, burns the objective, and is told to come again; a
// probe runs.
func TestACallThatCannotBeRecorded(t *testing.T) {
	ran := 0
	f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		ran++
		return in, nil
	}}, withAudit(t, audit.Config{Policy: audit.All, Refuse: true, Sink: broken{}}))
	m, stream := f.method(t, unary), newReused(t)
	stream.unread = true
	err := m.Serve(nil, stream)
	f.rejected(t, err, unary[1:], inbound.ReasonUnaudited, codes.Unavailable, "UNAVAILABLE")
	route, err := contract.Route("POST /refund", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /refund", f.Route(route, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran++ })))
	got := ask(t, http.MethodPost, f.serveHTTP(t, mux, inbound.HTTPLimits{})+"/refund", strings.NewReader("x"))
	if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "cannot be recorded") {
		t.Errorf("plain HTTP: got %d %s", got.status, got.body)
	}
	f.wantValue(t, rejectedMetric, labels{"reason": "unaudited"}, 2)
	if ran != 0 {
		t.Errorf("%d handlers ran unrecorded", ran)
	}
	quiet := *m.Method
	quiet.Quiet = true
	m.Method = &quiet
	stream.unread = true
	if err := m.Serve(nil, stream); err != nil || ran != 1 {
		t.Errorf("a probe: %v, and %d handlers ran", err, ran)
	}
}

// A record costs a call what its address in words costs.
func TestAllocationsOfTheAuditLog(t *testing.T) {
	if race.Detector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	count := func(changes ...func(*setup)) float64 {
		f := newChain(t, testHandlers{unary: echo}, changes...)
		m, stream := f.method(t, unary), newReused(t)
		return testing.AllocsPerRun(1000, func() {
			stream.unread = true
			if err := m.Serve(nil, stream); err != nil {
				t.Error(err)
			}
		})
	}
	off := count()
	on := count(withAudit(t, audit.Config{Policy: audit.All, Sink: io.Discard}))
	denied := count(withAudit(t, audit.Config{Policy: audit.Denied, Sink: io.Discard}))
	if denied != off || on-off > 3 {
		t.Errorf("a call allocates %v times, with records of denied calls %v, with its record %v", off, denied, on)
	}
}

// While the audit log cannot be written, every call is refused: a few lines say so, and how many
// there would be.
func TestCallsThatCannotBeRecordedDoNotFloodTheLog(t *testing.T) {
	record, err := contract.Route("GET /own", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	for way, call := range map[string]func(*testing.T, *fixture){
		"gRPC": func(t *testing.T, f *fixture) { _ = f.method(t, unary).Serve(nil, newFakeStream(t.Context())) },
		"REST": func(t *testing.T, f *fixture) {
			_ = f.Conn(inbound.RESTConfig{}).Invoke(t.Context(), unary, new(message), new(message))
		},
		"HTTP": func(t *testing.T, f *fixture) {
			f.HTTP(f.Route(record, http.NotFoundHandler()), inbound.HTTPLimits{}).
				ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/own", nil))
		},
	} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, err := audit.Open(audit.Config{Policy: audit.All, Refuse: true, Sink: broken{}})
				if err != nil {
					t.Fatal(err)
				}
				f := newChain(t, testHandlers{unary: echo}, policy(t, `{"public": true}`), func(s *setup) { s.Audit = log })
				for range 100 {
					call(t, f)
				}
				time.Sleep(time.Minute)
				call(t, f)
				lines := append(f.lines.records(t), f.log.records(t)...)
				lines = slices.DeleteFunc(lines, func(line map[string]any) bool { return line["reason"] != "unaudited" })
				if len(lines) != allowance.Most+1 {
					t.Fatalf("%d lines of 101 calls, want %d", len(lines), allowance.Most+1)
				}
				if explain, _ := lines[allowance.Most]["explain"].(string); !strings.Contains(explain, "95 calls refused for this") {
					t.Errorf("the line behind the others explains %q", explain)
				}
				f.wantValue(t, rejectedMetric, labels{"reason": "unaudited"}, 101)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_ = log.Close(ctx) // its sink is broken
			})
		})
	}
}

// A stream of a plain handler is recorded when it has become one, in whichever way, and a download
// is not.
func TestAuditOfAStreamOfAPlainHandler(t *testing.T) {
	flushes := func(w http.ResponseWriter) {
		for range 2 {
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
		}
	}
	for name, test := range map[string]struct {
		refuse bool
		handle func(http.ResponseWriter)
		begins int
	}{
		"events": {false, flushes, 1},
		"events, each call is recorded before it runs": {true, flushes, 1},
		"a connection taken over": {false, func(w http.ResponseWriter) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		}, 1},
		"download": {false, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "18")
			flushes(w)
		}, 0},
		"answer": {false, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			out := new(logBuffer)
			f := newChain(t, testHandlers{}, withAudit(t, audit.Config{Policy: audit.All, Refuse: test.refuse, Sink: out}))
			record, err := contract.Route("GET /events", true, nil)
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			mux.Handle("GET /events", f.Route(record, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				test.handle(w)
				if err := f.setup.Audit.Flush(r.Context()); err != nil {
					t.Error(err)
				}
				begins := strings.Count(out.String(), `"event":"begin","protocol":"http","method":"GET /events"`)
				if begins != test.begins || strings.Contains(out.String(), `"event":"end"`) {
					t.Errorf("%d begin records while the handler runs, want %d:\n%s", begins, test.begins, out)
				}
			})))
			url := f.serveHTTP(t, mux, inbound.HTTPLimits{})
			resp, err := http.Get(url + "/events")
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
}
