package inbound_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/race"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// passport is an identity that may end, or ends at a time.
type passport struct {
	identity
	ended atomic.Bool
	at    time.Time
}

func (p *passport) Valid(now time.Time) error {
	if p.ended.Load() || !p.at.IsZero() && now.After(p.at) {
		return errors.New("its certificate expired yesterday")
	}
	return nil
}

func (p *passport) in(ctx context.Context) context.Context {
	return peer.NewContext(ctx, &peer.Peer{AuthInfo: p})
}

const alice = "spiffe://betmakers/alice"

// A call whose caller's proof has ended is refused, of public methods too, and operators learn why.
func TestProofHasEnded(t *testing.T) {
	call := func(t *testing.T, p *passport) (*fixture, error, int) {
		t.Helper()
		handled := 0
		f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
			handled++
			if got := inbound.CallerOf(ctx).ID; got != alice {
				t.Errorf("the caller is %q", got)
			}
			return in, nil
		}}, policy(t, `{"public": true}`))
		err := f.Conn(inbound.RESTConfig{}).Invoke(p.in(t.Context()), unary, new(message), new(message))
		return f, err, handled
	}
	p := &passport{identity: alice}
	if _, err, handled := call(t, p); err != nil || handled != 1 {
		t.Fatalf("got %v, handled %d times", err, handled)
	}
	p.ended.Store(true)
	f, err, handled := call(t, p)
	f.rejected(t, err, unary[1:], inbound.ReasonUnauthenticated, codes.Unauthenticated, "UNAUTHENTICATED")
	if handled != 0 {
		t.Error("the handler was called")
	}
	if explain, _ := f.lines.only(t)["explain"].(string); !strings.Contains(explain, alice+", but its certificate expired yesterday") {
		t.Errorf("operators are told %q", explain)
	}
	if strings.Contains(err.Error(), "yesterday") {
		t.Errorf("the caller is told %v", err)
	}
}

// Streams end with the proof, whichever way of proving it was, and only those.
func TestProofEndsWithinAStream(t *testing.T) {
	for name, tc := range map[string]struct {
		passport *passport
		tokens   inbound.TokenVerifier
		code     codes.Code // OK for a stream that goes on
	}{
		"nothing ends":            {&passport{identity: alice}, nil, codes.OK},
		"a certificate":           {&passport{identity: alice, at: time.Unix(0, 0)}, nil, codes.Unavailable},
		"a token":                 {nil, timed{time.Hour}, codes.Unauthenticated},
		"a token without a time":  {nil, timed{0}, codes.OK},
		"a token, by a plain way": {nil, plain{}, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tc.passport != nil && !tc.passport.at.IsZero() {
					tc.passport.at = time.Now().Add(time.Hour)
				}
				ended := make(chan error, 1)
				f := newChain(t, testHandlers{stream: func(s grpc.ServerStream) error {
					<-s.Context().Done()
					ended <- context.Cause(s.Context())
					return nil
				}}, policy(t, `{"public": true}`), func(s *setup) { s.Tokens = tc.tokens })
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.passport != nil {
					ctx = tc.passport.in(ctx)
				}
				conn := f.Conn(inbound.RESTConfig{})
				open := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := conn.NewStream(r.Context(), &grpc.StreamDesc{ServerStreams: true}, serverStream); err != nil {
						t.Error(err)
					}
				})
				r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
				r.Header.Set("Authorization", "Bearer x")
				go f.HTTP(open, inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
				wantEndAfterAnHour(t, ended, tc.code)
				cancel()
				synctest.Wait()
				if tc.code != codes.OK {
					f.wantValue(t, "chassis_rpc_rejected_total", labels{"reason": "unauthenticated"}, 1)
				}
			})
		})
	}
}

// timed verifies every token and gives it a time.
type timed struct{ life time.Duration }

func (timed) Verify(context.Context, string) (string, error) { return "", errors.New("not the way") }
func (v timed) VerifyUntil(context.Context, string) (string, time.Time, error) {
	if v.life == 0 {
		return "alice", time.Time{}, nil
	}
	return "alice", time.Now().Add(v.life), nil
}

type plain struct{}

func (plain) Verify(context.Context, string) (string, error) { return "alice", nil }

// A request on a connection whose proof has ended reaches no handler, a plain one either, and ends
// the connection.
func TestProofOfPlainHTTP(t *testing.T) {
	f := newChain(t, testHandlers{})
	handled := 0
	handler := f.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { handled++ }), inbound.HTTPLimits{})
	p := &passport{identity: alice}
	request := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(p.in(t.Context()), "GET", "/", nil))
		return w
	}
	if w := request(); w.Code != http.StatusOK || handled != 1 {
		t.Fatalf("got %d", w.Code)
	}
	p.ended.Store(true)
	if w := request(); w.Code != http.StatusUnauthorized || handled != 1 || w.Header().Get("Connection") != "close" || strings.Contains(w.Body.String(), "yesterday") {
		t.Errorf("got %d, %v, %s; want 401 that ends the connection and tells nothing of the certificate", w.Code, w.Header(), w.Body)
	}
}

// A caller whose proof has ended is nobody, and the line and the record of its refusal name it all
// the same.
func TestRefusalsNameThePeerOfAnEndedProof(t *testing.T) {
	p := &passport{identity: alice}
	p.ended.Store(true)
	record, err := contract.Route("GET /own", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	for way, ask := range map[string]func(*testing.T, *fixture){
		"gRPC": func(t *testing.T, f *fixture) { _ = f.method(t, unary).Serve(nil, newFakeStream(p.in(t.Context()))) },
		"REST": func(t *testing.T, f *fixture) {
			_ = f.Conn(inbound.RESTConfig{}).Invoke(p.in(t.Context()), unary, new(message), new(message))
		},
		"HTTP": func(t *testing.T, f *fixture) {
			f.HTTP(f.Route(record, http.NotFoundHandler()), inbound.HTTPLimits{}).
				ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(p.in(t.Context()), "GET", "/own", nil))
		},
	} {
		t.Run(way, func(t *testing.T) {
			out := new(logBuffer)
			f := newChain(t, testHandlers{unary: echo}, withAudit(t, audit.Config{Policy: audit.Denied, Sink: out}))
			ask(t, f)
			lines := f.lines
			if way == "HTTP" {
				lines = f.log
			}
			if line := lines.only(t); line["peer"] != alice || line["reason"] != "unauthenticated" {
				t.Errorf("the line is %v", line)
			}
			if err := f.setup.Audit.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			expected := `"caller":"nobody","peer":"` + alice + `"`
			if text := out.String(); !strings.Contains(text, expected) || !strings.Contains(text, `"decision":"deny","reason":"unauthenticated"`) {
				t.Errorf("the record is %s", text)
			}
		})
	}
}

// The look at the proof costs a call no allocation.
func TestAllocationsOfProofs(t *testing.T) {
	if race.Detector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	f := newChain(t, testHandlers{unary: echo})
	m := f.method(t, unary)
	count := func(ctx context.Context) float64 {
		stream := &reused{*newFakeStream(ctx)}
		return testing.AllocsPerRun(1000, func() {
			stream.unread = true
			if err := m.Serve(nil, stream); err != nil {
				t.Error(err)
			}
		})
	}
	without, with := count(asPeer(t.Context(), alice)), count((&passport{identity: alice}).in(t.Context()))
	if with > without {
		t.Errorf("%v allocations, %v without an end to look for", with, without)
	}
}

// A stream of a plain handler ends with the proof too, and only that: a download ends by itself,
// and so does what is not answered yet.
func TestProofEndsWithinAPlainStream(t *testing.T) {
	events := func(w http.ResponseWriter) {
		_, _ = w.Write([]byte("first"))
		_ = http.NewResponseController(w).Flush()
	}
	for name, tc := range map[string]struct {
		passport *passport
		tokens   inbound.TokenVerifier
		begin    func(http.ResponseWriter)
		code     codes.Code // OK for a request that goes on
	}{
		"nothing ends":            {&passport{identity: alice}, nil, events, codes.OK},
		"a certificate":           {&passport{identity: alice, at: time.Unix(0, 0)}, nil, events, codes.Unavailable},
		"a token":                 {nil, timed{time.Hour}, events, codes.Unauthenticated},
		"a token without a time":  {nil, timed{0}, events, codes.OK},
		"a token, by a plain way": {nil, plain{}, events, codes.OK},
		"a download": {nil, timed{time.Hour}, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			events(w)
		}, codes.OK},
		"no answer yet": {nil, timed{time.Hour}, func(http.ResponseWriter) {}, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tc.passport != nil && !tc.passport.at.IsZero() {
					tc.passport.at = time.Now().Add(time.Hour)
				}
				f := newChain(t, testHandlers{}, func(s *setup) { s.Tokens = tc.tokens })
				over := make(chan struct{})
				ended := make(chan error, 1)
				var last, tooLate error
				route := f.Route(&contract.Method{Name: "GET /events", Public: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					tc.begin(w)
					select {
					case <-r.Context().Done():
						ended <- context.Cause(r.Context())
					case <-over:
						return
					}
					_, last = w.Write([]byte("bye"))
					time.Sleep(11 * time.Second)
					_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
					_, tooLate = w.Write([]byte("more"))
				}))
				ctx := t.Context()
				if tc.passport != nil {
					ctx = tc.passport.in(ctx)
				}
				r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
				r.Header.Set("Authorization", "Bearer x")
				go f.HTTP(route, inbound.HTTPLimits{}).ServeHTTP(httptest.NewRecorder(), r)
				wantEndAfterAnHour(t, ended, tc.code)
				close(over)
				synctest.Wait()
				if tc.code == codes.OK {
					return
				}
				if last != nil || tooLate == nil {
					t.Errorf("the last words: %v, and after 10 s: %v, want an error alone then", last, tooLate)
				}
				f.wantValue(t, "chassis_rpc_rejected_total", labels{"reason": "unauthenticated", "rpc_method": "GET /events"}, 1)
				if line := f.log.only(t); line["reason"] != "unauthenticated" {
					t.Errorf("the line is %v", line)
				}
			})
		})
	}
}

// wantEndAfterAnHour waits, in a bubble, for a stream that ends with code when an hour is over, and
// not before. With OK it must not end.
func wantEndAfterAnHour(t *testing.T, ended <-chan error, code codes.Code) {
	t.Helper()
	time.Sleep(59 * time.Minute) // of a bubble
	select {
	case err := <-ended:
		t.Fatalf("it ended early, by %v", err)
	default:
	}
	time.Sleep(2 * time.Minute) // of a bubble
	select {
	case err := <-ended:
		if status.Code(err) != code {
			t.Errorf("it ended by %v, want %s", err, code)
		}
	default:
		if code != codes.OK {
			t.Error("it has not ended")
		}
	}
}
