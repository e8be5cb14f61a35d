package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

const auditedMetric = "chassis_rpc_audited_total"

// policy declares, for every method of the test service or the given ones, what a paddock.v1.Policy
// in JSON says.
func policy(t testing.TB, json string, methods ...string) func(*setup) {
	t.Helper()
	if methods == nil {
		methods = []string{unary, serverStream, clientStream, bidiStream}
	}
	var all []string
	for _, method := range methods {
		all = append(all, fmt.Sprintf("%q: %s", method[1:], json))
	}
	overrides, err := contract.ParseOverrides("{" + strings.Join(all, ", ") + "}")
	if err != nil {
		t.Fatal(err)
	}
	return func(s *setup) { s.Overrides = overrides }
}

// tokens accepts the tokens that are a subject with "good-" before it.
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (string, error) {
	subject, ok := strings.CutPrefix(token, "good-")
	if !ok {
		return "", errors.New("the signature is wrong")
	}
	return subject, nil
}

func withTokens(s *setup) { s.Tokens = tokens{} }

func TestRefusedCallers(t *testing.T) {
	for name, tc := range map[string]struct {
		policy, caller string
		reason         inbound.Reason
		code           codes.Code
		label, message string
		explain        []string
	}{
		"nobody, by default": {
			`{}`, "", inbound.ReasonUnauthenticated, codes.Unauthenticated, "UNAUTHENTICATED", "the caller has no identity",
			[]string{"a caller without identity may not call", "any service of the own trust domain", "own trust domain: test"},
		},
		"nobody, with callers": {
			`{"callers": ["web"]}`, "", inbound.ReasonUnauthenticated, codes.Unauthenticated, "UNAUTHENTICATED", "the caller has no identity",
			[]string{"open to web"},
		},
		"a stranger, by default": {
			`{}`, "spiffe://other/web", inbound.ReasonDenied, codes.PermissionDenied, "PERMISSION_DENIED", "the caller may not call this method",
			[]string{`"spiffe://other/web" may not call`},
		},
		"another service": {
			`{"callers": ["web", "bookmaker-*"]}`, "spiffe://test/wallet", inbound.ReasonDenied, codes.PermissionDenied, "PERMISSION_DENIED", "the caller may not call this method",
			[]string{`"spiffe://test/wallet" may not call`, "open to web, bookmaker-*"},
		},
	} {
		for _, method := range []string{unary, serverStream, clientStream, bidiStream} {
			t.Run(name+method, func(t *testing.T) {
				leakcheck.Check(t)
				f := newChain(t, unreachable(t), policy(t, tc.policy))
				f.SetTrustDomain("test")
				err := f.method(t, method).Serve(nil, newFakeStream(asPeer(t.Context(), tc.caller)))
				f.rejected(t, err, method[1:], tc.reason, tc.code, tc.label)
				if got := status.Convert(err).Message(); got != tc.message {
					t.Errorf("the caller is told %q, want %q and nothing of who may call", got, tc.message)
				}
				explained, _ := f.lines.only(t)["explain"].(string)
				for _, part := range append(tc.explain, method[1:]) {
					if !strings.Contains(explained, part) {
						t.Errorf("explained with %q, want %q in it", explained, part)
					}
				}
			})
		}
	}
}

func TestAdmittedCallers(t *testing.T) {
	for _, tc := range []struct{ policy, caller, domain string }{
		{`{}`, "spiffe://test/web", "test"},
		{`{}`, "", ""}, // mutual TLS is off
		{`{"public": true}`, "", "test"},
		{`{"public": true}`, "spiffe://other/web", "test"},
		{`{"callers": ["web"]}`, "spiffe://test/web", "test"},
		{`{"callers": ["spiffe://other/*"]}`, "spiffe://other/web", "test"},
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			leakcheck.Check(t)
			var seen inbound.Caller
			f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
				seen = inbound.CallerOf(ctx)
				return in, nil
			}}, policy(t, tc.policy))
			f.SetTrustDomain(tc.domain)
			if err := f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), tc.caller))); err != nil {
				t.Fatal(err)
			}
			if seen.ID != tc.caller || seen.Subject != "" {
				t.Errorf("the handler sees %+v, want %q", seen, tc.caller)
			}
			if line := f.lines.only(t); line["explain"] != nil || line["reason"] != nil {
				t.Errorf("an admitted call is explained: %v", line)
			}
			f.wantValue(t, rejectedMetric, nil, 0)
		})
	}
}

func TestNobodyOutsideOfACall(t *testing.T) {
	if got := inbound.CallerOf(t.Context()); !got.Anonymous() {
		t.Errorf("got %+v, want nobody", got)
	}
}

// In audit mode callers are let in, and told of as if they had not been.
func TestAuditOnly(t *testing.T) {
	for caller, reason := range map[string]inbound.Reason{
		"": inbound.ReasonUnauthenticated, "spiffe://test/wallet": inbound.ReasonDenied,
	} {
		leakcheck.Check(t)
		f := newChain(t, testHandlers{unary: echo}, policy(t, `{"callers": ["web"]}`), func(s *setup) { s.AuditOnly = true })
		f.SetTrustDomain("test")
		if err := f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), caller))); err != nil {
			t.Fatal(err)
		}
		f.wantValue(t, auditedMetric, labels{"rpc_method": unary[1:], "reason": string(reason)}, 1)
		f.wantValue(t, auditedMetric, nil, 1)
		f.wantValue(t, rejectedMetric, nil, 0)
		f.wantValue(t, callsMetric, labels{"rpc_status_code": "OK"}, 1)
		line := f.lines.only(t)
		if why, _ := line["would_refuse"].(string); !strings.Contains(why, "may not call "+unary[1:]+": it is open to web") || line["reason"] != nil {
			t.Errorf("%q: the line is %v, want why the call would be refused", caller, line)
		}
	}
}

func TestAuditOnlyIsSilentAboutTheAllowed(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo}, policy(t, `{"callers": ["web"]}`), func(s *setup) { s.AuditOnly = true })
	f.SetTrustDomain("test")
	_ = f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), "spiffe://test/web")))
	f.wantValue(t, auditedMetric, nil, 0)
	if line := f.lines.only(t); line["would_refuse"] != nil {
		t.Errorf("the line is %v", line)
	}
}

// restCall makes a call by REST, as the gateway does, with a header Authorization, empty for none.
func restCall(t *testing.T, f *fixture, caller, authorization string) (err error) {
	t.Helper()
	conn := f.Conn(inbound.RESTConfig{})
	handler := f.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		err = conn.Invoke(r.Context(), unary, new(message), new(message))
	}), inbound.HTTPLimits{})
	request := httptest.NewRequestWithContext(asPeer(t.Context(), caller), "POST", "/", nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	handler.ServeHTTP(httptest.NewRecorder(), request)
	return err
}

func TestBearerTokens(t *testing.T) {
	for _, tc := range []struct {
		policy, caller, authorization string
		reason                        inbound.Reason // empty for an admitted call
		subject                       string
	}{
		{`{"callers": ["user:alice"]}`, "", "Bearer good-alice", "", "alice"},
		{`{"callers": ["user:alice"]}`, "", "bearer   good-alice ", "", "alice"},
		{`{"callers": ["user:alice"]}`, "spiffe://other/proxy", "Bearer good-alice", "", "alice"},
		{`{"callers": ["user:*"]}`, "", "Bearer good-bob", "", "bob"},
		{`{"callers": ["user:alice"]}`, "", "Bearer good-bob", inbound.ReasonDenied, ""},
		{`{"callers": ["user:alice"]}`, "", "Bearer bad", inbound.ReasonUnauthenticated, ""},
		{`{"callers": ["user:*"]}`, "", "Bearer good-", inbound.ReasonUnauthenticated, ""},
		{`{"callers": ["user:alice"]}`, "", "", inbound.ReasonUnauthenticated, ""},
		{`{"callers": ["user:alice"]}`, "", "Basic good-alice", inbound.ReasonUnauthenticated, ""},
		{`{"callers": ["user:*"]}`, "spiffe://test/web", "", inbound.ReasonDenied, ""},
		{`{}`, "", "Bearer good-alice", inbound.ReasonDenied, ""},
		{`{}`, "spiffe://test/web", "Bearer good-alice", "", "alice"},
		{`{}`, "spiffe://test/web", "Bearer bad", inbound.ReasonUnauthenticated, ""},
		{`{"public": true}`, "", "Bearer bad", inbound.ReasonUnauthenticated, ""},
		{`{"public": true}`, "", "Bearer good-alice", "", "alice"},
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			leakcheck.Check(t)
			var seen *inbound.Caller
			f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
				c := inbound.CallerOf(ctx)
				seen = &c
				return in, nil
			}}, policy(t, tc.policy), withTokens)
			f.SetTrustDomain("test")
			err := restCall(t, f, tc.caller, tc.authorization)
			if tc.reason != "" {
				if seen != nil || err == nil {
					t.Fatalf("got %v, and the handler saw %v", err, seen)
				}
				f.wantValue(t, rejectedMetric, labels{"reason": string(tc.reason)}, 1)
				return
			}
			if err != nil || seen == nil || seen.Subject != tc.subject || seen.ID != tc.caller {
				t.Errorf("got %v, and the handler saw %+v", err, seen)
			}
		})
	}
}

// What a token says, or is, stays out of the log and of the answer; why it was refused is in the
// log alone.
func TestTokensAreNotTold(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, unreachable(t), policy(t, `{"callers": ["user:alice"]}`), withTokens)
	f.SetTrustDomain("test")
	err := restCall(t, f, "", "Bearer canary-token")
	if got := status.Convert(err).Message(); got != "the bearer token is not accepted" {
		t.Errorf("the caller is told %q", got)
	}
	_ = restCall(t, f, "", "Bearer good-canary-subject")
	if log := f.lines.String(); strings.Contains(log, "canary") || !strings.Contains(log, "bearer token refused: the signature is wrong") ||
		!strings.Contains(log, "the user of a bearer token may not call") {
		t.Errorf("logged %s", log)
	}
}

// Tokens are for the REST edge: services prove who they are by mutual TLS.
func TestTokensByGRPCAreIgnored(t *testing.T) {
	f, conn := start(t, unreachable(t), policy(t, `{"callers": ["user:alice"]}`), withTokens)
	f.SetTrustDomain("test")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer good-alice")
	err := conn.Invoke(ctx, unary, new(message), new(message))
	f.rejected(t, err, unary[1:], inbound.ReasonUnauthenticated, codes.Unauthenticated, "UNAUTHENTICATED")
}

// A refused stream is told so before it has to send anything.
func TestRefusedStreamIsToldAtOnce(t *testing.T) {
	f, conn := start(t, unreachable(t), policy(t, `{}`))
	f.SetTrustDomain("test")
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, bidiStream)
	if err == nil {
		err = stream.RecvMsg(new(message))
	}
	f.rejected(t, err, bidiStream[1:], inbound.ReasonUnauthenticated, codes.Unauthenticated, "UNAUTHENTICATED")
}

func TestOverriddenGauge(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{}, policy(t, `{"public": true}`, unary))
	f.wantValue(t, "chassis_policy_overridden", labels{"rpc_method": unary[1:]}, 1)
	f.wantValue(t, "chassis_policy_overridden", nil, 1)
}
