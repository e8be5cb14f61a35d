package chassis_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/chassis/internal/gate"
)

// fakeTokens accepts token-SUBJECT.
type fakeTokens struct{}

func (fakeTokens) Verify(_ context.Context, token string) (string, error) {
	subject, ok := strings.CutPrefix(token, "token-")
	if !ok {
		return "", errors.New("no such token")
	}
	return subject, nil
}

func gated() chassis.Service {
	return chassis.Service{Name: "gate", Tokens: fakeTokens{}, Setup: func(ctx context.Context, app *chassis.App) error {
		app.RegisterService(gate.Desc, nil)
		app.Gateway(ctx, gate.RegisterGateway)
		return nil
	}}
}

// attempt calls the unary method or the stream of a policy and tells how it went: "." let in, "U"
// told to say who it is, "D" denied.
type attempt func(t *testing.T, policy string, stream bool) string

func byGRPC(conn *grpc.ClientConn, header ...string) attempt {
	return func(t *testing.T, policy string, stream bool) string {
		ctx := metadata.AppendToOutgoingContext(t.Context(), header...)
		in, out := new(emptypb.Empty), new(emptypb.Empty)
		if !stream {
			return letterOf(t, conn.Invoke(ctx, gate.Unary(policy), in, out))
		}
		s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, gate.Stream(policy))
		if err != nil {
			return letterOf(t, err)
		}
		_, _ = s.SendMsg(in), s.CloseSend()
		return letterOf(t, s.RecvMsg(out))
	}
}

func letterOf(t *testing.T, err error) string {
	switch status.Code(err) {
	case codes.OK:
		return "."
	case codes.Unauthenticated:
		return "U"
	case codes.PermissionDenied:
		return "D"
	}
	t.Errorf("got %v", err)
	return "?"
}

func byREST(client *http.Client, scheme string, header ...string) attempt {
	return func(t *testing.T, policy string, stream bool) string {
		kind := "unary"
		if stream {
			kind = "stream"
		}
		got := do(t, client, "GET", scheme+"://rest/"+kind+"/"+policy, "", header...)
		letter, ok := map[int]string{200: ".", 401: "U", 403: "D"}[got.status]
		if !ok {
			t.Errorf("got %s", got)
		}
		return letter
	}
}

// withoutID is the configuration of a caller whose certificate the authority has signed, but that
// has no SPIFFE ID.
func withoutID(svc *chassistest.Running, ca *chassistest.CA) *tls.Config {
	id := ca.Identity("nobody", func(c *x509.Certificate) { c.URIs = nil })
	config := svc.TLS()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &id.Certificate, nil }
	return config
}

func withoutCertificate(svc *chassistest.Running) *tls.Config {
	config := svc.TLS()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return new(tls.Certificate), nil }
	return config
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// Who gets in: each identity, at each method, by each way in, unary and stream. The columns are
// those of gate.Policies: default, public, callers web, team-*, spiffe://other.example/web,
// user:alice and user:*.
func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	ca := chassistest.NewCA(t)
	secure := chassistest.Start(t, gated(), chassistest.Options{CA: ca, Env: env{"CHASSIS_HTTP_TLS": "true"}})
	plain := chassistest.Start(t, gated(), chassistest.Options{CA: ca})
	off := start(t, gated(), env{"CHASSIS_MTLS": "off"})
	grpcWith := func(config *tls.Config) *grpc.ClientConn {
		return secure.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(config)))
	}
	const other = "spiffe://other.example/"
	for _, row := range []struct {
		caller string
		call   attempt
		want   string // default, public, web, team-*, foreign, alice, any user
	}{
		{"gRPC, web", byGRPC(secure.ConnAs("web")), "...DDDD"},
		{"gRPC, wallet", byGRPC(secure.ConnAs("wallet")), "..DDDDD"},
		{"gRPC, team-a", byGRPC(secure.ConnAs("team-a")), "..D.DDD"},
		{"gRPC, team-a/robot", byGRPC(secure.ConnAs("team-a/robot")), "..DDDDD"},
		{"gRPC, web/team-a", byGRPC(secure.ConnAs("web/team-a")), "..DDDDD"},
		{"gRPC, user", byGRPC(secure.ConnAs("alice")), "..DDDDD"},
		{"gRPC, a domain that begins alike", byGRPC(secure.ConnAs("spiffe://test.example/web")), "D.DDDDD"},
		{"gRPC, other web", byGRPC(secure.ConnAs(other + "web")), "D.DD.DD"},
		{"gRPC, other wallet", byGRPC(secure.ConnAs(other + "wallet")), "D.DDDDD"},
		{"gRPC, other team-a", byGRPC(secure.ConnAs(other + "team-a")), "D.DDDDD"},
		{"gRPC, no SPIFFE ID", byGRPC(grpcWith(withoutID(secure, ca))), "U.UUUUU"},
		{"gRPC, web with alice's token", byGRPC(secure.ConnAs("web"), bearer("token-alice")...), "...DDDD"},
		{"gRPC, no SPIFFE ID with alice's token", byGRPC(grpcWith(withoutID(secure, ca)), bearer("token-alice")...), "U.UUUUU"},

		{"REST, web", byREST(secure.HTTPAs("web"), "https"), "...DDDD"},
		{"REST, wallet", byREST(secure.HTTPAs("wallet"), "https"), "..DDDDD"},
		{"REST, team-a", byREST(secure.HTTPAs("team-a"), "https"), "..D.DDD"},
		{"REST, other web", byREST(secure.HTTPAs(other+"web"), "https"), "D.DD.DD"},
		{"REST, other wallet", byREST(secure.HTTPAs(other+"wallet"), "https"), "D.DDDDD"},
		{"REST, no SPIFFE ID", byREST(secure.HTTPWith(withoutID(secure, ca)), "https"), "U.UUUUU"},
		{"REST, no certificate", byREST(secure.HTTPWith(withoutCertificate(secure)), "https"), "U.UUUUU"},
		{"REST, alice", byREST(secure.HTTPWith(withoutCertificate(secure)), "https", bearer("token-alice")...), "D.DDD.."},
		{"REST, bob", byREST(secure.HTTPWith(withoutCertificate(secure)), "https", bearer("token-bob")...), "D.DDDD."},
		{"REST, a user named web", byREST(secure.HTTPWith(withoutCertificate(secure)), "https", bearer("token-web")...), "D.DDDD."},
		{"REST, a user named as an ID", byREST(secure.HTTPWith(withoutCertificate(secure)), "https", bearer("token-spiffe://test/web")...), "D.DDDD."},
		{"REST, web with alice's token", byREST(secure.HTTPAs("web"), "https", bearer("token-alice")...), "...DD.."},
		{"REST, other web with alice's token", byREST(secure.HTTPAs(other+"web"), "https", bearer("token-alice")...), "D.DD..."},
		{"REST, bad token", byREST(secure.HTTPWith(withoutCertificate(secure)), "https", bearer("forged")...), "UUUUUUU"},
		{"REST, web with a bad token", byREST(secure.HTTPAs("web"), "https", bearer("forged")...), "UUUUUUU"},
		{"REST, empty token", byREST(secure.HTTPWith(withoutCertificate(secure)), "https", bearer("")...), "UUUUUUU"},
		{"REST, basic", byREST(secure.HTTPWith(withoutCertificate(secure)), "https", "Authorization", "Basic token-alice"), "U.UUUUU"},
		{"REST, token by another name", byREST(secure.HTTPWith(withoutCertificate(secure)), "https", "Grpc-Metadata-Authorization", "Bearer token-alice"), "U.UUUUU"},
		{"REST, says that it is web", byREST(secure.HTTPWith(withoutCertificate(secure)), "https",
			"X-Forwarded-Client-Cert", "URI=spiffe://test/web", "Grpc-Metadata-Caller", "spiffe://test/web", "X-Forwarded-For", "127.0.0.1"), "U.UUUUU"},

		{"REST without TLS, nobody", byREST(plain.HTTPAs("web"), "http"), "U.UUUUU"},
		{"REST without TLS, alice", byREST(plain.HTTPAs("web"), "http", bearer("token-alice")...), "D.DDD.."},
		{"REST without TLS, bad token", byREST(plain.HTTPAs("web"), "http", bearer("forged")...), "UUUUUUU"},

		{"gRPC, mutual TLS off", byGRPC(off.Conn()), "..UUUUU"},
		{"REST, mutual TLS off, nobody", byREST(off.HTTP(), "http"), "..UUUUU"},
		{"REST, mutual TLS off, alice", byREST(off.HTTP(), "http", bearer("token-alice")...), "..DDD.."},
		{"REST, mutual TLS off, bob", byREST(off.HTTP(), "http", bearer("token-bob")...), "..DDDD."},
		{"REST, mutual TLS off, bad token", byREST(off.HTTP(), "http", bearer("forged")...), "UUUUUUU"},
	} {
		t.Run(row.caller, func(t *testing.T) {
			if len(row.want) != len(gate.Policies) {
				t.Fatalf("%d expectations for %d methods", len(row.want), len(gate.Policies))
			}
			for i, policy := range gate.Policies {
				for _, stream := range []bool{false, true} {
					if got, want := row.call(t, policy.Name, stream), row.want[i:i+1]; got != want {
						t.Errorf("%s, stream %t: got %q, want %q", policy.Name, stream, got, want)
					}
				}
			}
		})
	}
}

// What the audit mode would refuse is let in, counted and told, by both ways in.
func TestAuditMode(t *testing.T) {
	t.Parallel()
	svc := start(t, gated(), env{"CHASSIS_AUTHORIZATION": "audit"})
	for _, call := range []attempt{byGRPC(svc.ConnAs("wallet")), byREST(svc.HTTP(), "http")} {
		for _, policy := range gate.Policies {
			if got := call(t, policy.Name, false); got != "." {
				t.Errorf("%s: got %q, want it let in", policy.Name, got)
			}
		}
	}
	denied := svc.Metric("chassis_rpc_audited_total", "reason", "denied")
	unauthenticated := svc.Metric("chassis_rpc_audited_total", "reason", "unauthenticated")
	if denied != 5 || unauthenticated != 6 {
		t.Errorf("got %v denied and %v unauthenticated, want 5 of wallet and 6 of nobody", denied, unauthenticated)
	}
	told := 0
	for _, line := range svc.Logs("call") {
		if line["would_refuse"] != nil {
			told++
		}
	}
	if told != 11 {
		t.Errorf("%d lines tell of a refusal, want 11", told)
	}
}

// An override holds by both ways in, and is seen in log and metric.
func TestPolicyOverride(t *testing.T) {
	t.Parallel()
	name := gate.Unary("Named")[1:]
	svc := start(t, gated(), env{"CHASSIS_POLICY_OVERRIDES": fmt.Sprintf(`{%q: {"public": true}}`, name)})
	if got := byREST(svc.HTTP(), "http")(t, "Named", false); got != "." {
		t.Errorf("got %q, want the override in force", got)
	}
	if got := byREST(svc.HTTP(), "http")(t, "Named", true); got != "U" {
		t.Errorf("the stream: got %q, want what it declares", got)
	}
	if got := svc.Metric("chassis_policy_overridden", "rpc_method", name); got != 1 {
		t.Errorf("the metric is %v, want 1", got)
	}
	if lines := svc.Logs("policy overridden"); len(lines) != 1 || lines[0]["method"] != name {
		t.Errorf("logged %v", lines)
	}
}

// The log reports a method without a deadline as "none", and not as one with a deadline of 0s.
func TestPolicyOverrideWithoutTimeout(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_POLICY_OVERRIDES": `{"test.v1.EchoService/List": {"public": true}}`})
	if lines := svc.Logs("policy overridden"); len(lines) != 1 || lines[0]["timeout"] != "none" {
		t.Errorf("logged %v, want the timeout none", lines)
	}
}

// The debug page explains to an operator what a call would be told nothing of.
func TestExplain(t *testing.T) {
	t.Parallel()
	named := gate.Unary("Named")[1:]
	svc, audit, off := start(t, gated(), nil), start(t, gated(), env{"CHASSIS_AUTHORIZATION": "audit"}), start(t, gated(), env{"CHASSIS_MTLS": "off"})
	for _, test := range []struct {
		svc   *chassistest.Running
		query string
		want  []string
	}{
		{svc, named + "&caller=web", []string{"allowed: ", `"spiffe://test/web" may call ` + named + ": it is open to web", "own trust domain: test"}},
		{svc, named + "&caller=spiffe://test/web", []string{"allowed: "}},
		{svc, named + "&caller=spiffe://other.example/web", []string{"refused: ", `"spiffe://other.example/web" may not call`}},
		{svc, named + "&caller=user:alice", []string{"refused: the user of a bearer token may not call"}},
		{svc, named, []string{"refused: a caller without identity may not call"}},
		{svc, gate.Unary("Alice")[1:] + "&caller=user:alice", []string{"allowed: "}},
		{svc, gate.Stream("Public")[1:], []string{"allowed: ", "open to anybody"}},
		{audit, named + "&caller=wallet", []string{"let in, because CHASSIS_AUTHORIZATION is audit, but would be refused: ", "may not call"}},
		{off, gate.Unary("Default")[1:], []string{"allowed: ", "no own trust domain is set"}},
		{svc, "test.gate.v1.GateService/Nothing", []string{"there is no method"}},
	} {
		expectAll(t, do(t, test.svc.HTTP(), "GET", "http://admin/debug/authorize?method="+test.query, "").String(), test.want...)
	}
}
