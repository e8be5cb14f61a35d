package chassis_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

// storing is a service whose handler answers with what it got.
type storing struct {
	vaultv1.UnimplementedVaultServiceServer
}

func (storing) Store(_ context.Context, in *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	return &vaultv1.StoreResponse{Receipt: in.GetHow() + strconv.Itoa(len(in.GetLoad().GetPersons()))}, nil
}

// edge is a service with a method, Store, and routes of Handle that are as open as it is.
func edge() chassis.Service {
	return chassis.Service{Name: "edge", Tokens: fakeTokens{}, Setup: func(ctx context.Context, app *chassis.App) error {
		vaultv1.RegisterVaultServiceServer(app, storing{})
		app.Handle("POST /handle", http.HandlerFunc(whoReads))
		app.Handle("POST /handle/web", http.HandlerFunc(whoReads), "web")
		app.Handle("POST /handle/users", http.HandlerFunc(whoReads), "user:*", "spiffe://other.example/web")
		app.HandlePublic("POST /handle/public", http.HandlerFunc(whoReads))
		app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
		return nil
	}}
}

// whoReads answers with who asks, once the body is read.
func whoReads(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	caller := chassis.CallerOf(r.Context())
	_, _ = fmt.Fprint(w, caller.ID, " ", caller.Subject)
}

// policy is the setting for what Store says of itself.
func policy(text string) string { return `{"vault.v1.VaultService/Store": {` + text + `}}` }

// silent is a body that was announced and does not come: an answer to it was made without it.
type silent struct {
	closed chan struct{}
	once   sync.Once
}

func (s *silent) Read([]byte) (int, error) {
	<-s.closed
	return 0, io.ErrUnexpectedEOF
}

func (s *silent) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// announce posts a body of 4 MB that does not come, and returns the answer.
func announce(t *testing.T, client *http.Client, url string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, &silent{closed: make(chan struct{})})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 4_000_000
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(t, client, req)
}

// An answer to a caller that may not call is made without its body: each way in, each identity that
// is not enough, and each body: none, one that is announced and does not come, one that cannot be
// read.
func TestDecidedBeforeTheBody(t *testing.T) {
	t.Parallel()
	ca := chassistest.NewCA(t)
	svc := chassistest.Start(t, edge(), chassistest.Options{CA: ca, Env: env{"CHASSIS_HTTP_TLS": "true",
		"CHASSIS_POLICY_OVERRIDES": policy(`"public": false`)}})
	nobody := withoutCertificate(svc)
	for name, who := range map[string]struct {
		config *tls.Config
		token  string
		status int
		code   codes.Code // by gRPC, which takes no connection without a certificate, and no tokens
	}{
		"none":                        {nobody, "", 401, codes.Unavailable},
		"bad token":                   {nobody, "guess", 401, codes.Unavailable},
		"good token":                  {nobody, "token-alice", 403, codes.Unavailable},
		"other domain":                {svc.TLSAs("spiffe://other.example/web"), "", 403, codes.PermissionDenied},
		"own domain with a bad token": {svc.TLSAs("web"), "guess", 401, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var header []string
			if who.token != "" {
				header = bearer(who.token)
			}
			client := svc.HTTPWith(who.config)
			for _, path := range []string{"/v1/vault", "/handle"} {
				for body, got := range map[string]reply{
					"none":      do(t, client, "POST", "https://rest"+path, "", header...),
					"4 MB":      announce(t, client, "https://rest"+path, header...),
					"malformed": do(t, client, "POST", "https://rest"+path, `{"how": "\xff`, header...),
				} {
					if got.status != who.status {
						t.Errorf("%s, body %s: got %s, want %d", path, body, got, who.status)
					}
				}
			}
			conn := svc.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(who.config)))
			if who.code != codes.OK {
				expectWithoutMessage(t, conn, who.code, header...)
			}
		})
	}
}

// expectWithoutMessage calls Store, sends nothing, and expects the answer all the same.
func expectWithoutMessage(t *testing.T, conn *grpc.ClientConn, want codes.Code, header ...string) {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), lower(header)...)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, vaultv1.VaultService_Store_FullMethodName)
	if err == nil {
		err = stream.RecvMsg(new(vaultv1.StoreResponse))
	}
	if status.Code(err) != want && err != io.EOF {
		t.Errorf("gRPC without a message: got %v, want %s", err, want)
	}
}

func lower(header []string) []string {
	lowered := make([]string, len(header))
	for i, text := range header {
		if lowered[i] = text; i%2 == 0 {
			lowered[i] = strings.ToLower(text)
		}
	}
	return lowered
}

// What a certificate that has ended gets is no answer at all, and what the ports of operators
// answer needs no body.
func TestPortsOfOperatorsReadNoBody(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), nil)
	for path, want := range map[string]int{"/livez": 405, "/metrics": 405, "/debug/log-level": 403, "/debug/faults": 403} {
		if got := announce(t, svc.HTTP(), "http://admin"+path, "X-Forwarded-For", "203.0.113.9"); got.status != want {
			t.Errorf("%s: got %s, want %d", path, got, want)
		}
	}
}

// Callers that may call are served, and only they are told that a body cannot be read.
func TestBodiesOfThoseWhoMayCall(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), env{"CHASSIS_HTTP_TLS": "true", "CHASSIS_POLICY_OVERRIDES": policy(`"public": false`)})
	for body, want := range map[string]int{`{}`: 200, ``: 200, `{"how":"` + strings.Repeat("x", 1<<20) + `"}`: 200, `{"how": "` + "\xff" + `"}`: 400, `{`: 400} {
		if got := do(t, svc.HTTPAs("web"), "POST", "https://rest/v1/vault", body); got.status != want {
			t.Errorf("%.20q: got %.100s, want %d", body, got, want)
		}
	}
}

// A refused call is a call: counted with its reason, and with a line.
func TestRefusalsBeforeTheBodyAreObserved(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), env{"CHASSIS_RATE_LIMIT": "3/h", "CHASSIS_POLICY_OVERRIDES": policy(`"public": false`)})
	for range 2 {
		do(t, svc.HTTP(), "POST", "http://rest/v1/vault", "{")
	}
	do(t, svc.HTTP(), "POST", "http://rest/handle", "{")
	do(t, svc.HTTP(), "POST", "http://rest/handle", "{")
	expectAll(t, do(t, svc.HTTP(), "GET", "http://admin/metrics", "").body,
		`chassis_rpc_rejected_total{reason="unauthenticated",rpc_method="vault.v1.VaultService/Store"} 2`,
		`rpc_server_call_duration_seconds_count{error_type="",rpc_method="vault.v1.VaultService/Store",rpc_status_code="UNAUTHENTICATED",rpc_system_name="grpc"} 2`,
		`chassis_rpc_rejected_total{reason="unauthenticated",rpc_method="POST /handle"} 1`,
		`chassis_rpc_rejected_total{reason="rate_limited",rpc_method="POST /handle"} 1`)
	expectAll(t, fmt.Sprint(svc.Logs()), "vault.v1.VaultService/Store", "rate_limited", "a caller without identity may not call POST /handle")
}

// The line of a request that cannot be read names who sent it, and the method that it was for.
func TestUnreadableRequestsAreNamed(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), env{"CHASSIS_HTTP_TLS": "true"})
	for status, request := range map[int][]string{
		400: {`{"how": `}, 415: {"how=x", "Content-Type", "text/plain"}, 404: nil,
	} {
		url, body, header := "https://rest/v1/vault", "", []string(nil)
		if request == nil {
			url = "https://rest/v1/nothing"
		} else {
			body, header = request[0], request[1:]
		}
		if got := do(t, svc.HTTPAs("web"), "POST", url, body, header...); got.status != status {
			t.Errorf("got %s, want %d", got, status)
		}
	}
	named := map[float64]string{}
	for _, line := range svc.Logs("request") {
		if line["peer"] != "spiffe://"+chassistest.TrustDomain+"/web" {
			t.Errorf("the peer is not in %v", line)
		}
		status, _ := line["status"].(float64)
		named[status], _ = line["method"].(string)
	}
	const method = "vault.v1.VaultService/Store"
	if want := map[float64]string{400: method, 415: method, 404: ""}; !maps.Equal(named, want) {
		t.Errorf("the lines name %v, want %v", named, want)
	}
}

// Guesses of tokens and bodies that cannot be read take from the bucket of their address; a good
// token has its own.
func TestGuessesAreLimited(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]struct {
		url, body string
		first     int
		header    []string
	}{
		"bad tokens by REST":   {"/v1/vault", "{}", 401, bearer("guess")},
		"bad tokens by Handle": {"/handle/public", "", 401, bearer("guess")},
		"no JSON":              {"/v1/vault", "{", 400, nil},
		"no UTF-8":             {"/v1/vault?how=%ff", "{}", 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := start(t, edge(), env{"CHASSIS_RATE_LIMIT": "1/h"})
			got := map[int]int{}
			for range 20 {
				got[do(t, svc.HTTP(), "POST", "http://rest"+attack.url, attack.body, attack.header...).status]++
			}
			if len(got) != 2 || got[attack.first] != 1 || got[429] != 19 {
				t.Errorf("20 requests with a limit of one: got %v, want 1 of %d and 19 of 429", got, attack.first)
			}
			if got := do(t, svc.HTTP(), "POST", "http://rest/v1/vault", "{}", bearer("token-alice")...); got.status != 200 {
				t.Errorf("a good token of the same address: got %s", got)
			}
		})
	}
}

// A route of Handle takes who a method would take, and says who that is.
func TestHandleIsAsClosedAsAMethod(t *testing.T) {
	t.Parallel()
	ca := chassistest.NewCA(t)
	svc := chassistest.Start(t, edge(), chassistest.Options{CA: ca, Env: env{"CHASSIS_HTTP_TLS": "true"}})
	const own, other = "spiffe://" + chassistest.TrustDomain + "/", "spiffe://other.example/"
	for _, row := range []struct {
		who    *tls.Config
		token  string
		path   string
		status int
		answer string
	}{
		{withoutCertificate(svc), "", "", 401, ""},
		{withoutID(svc, ca), "", "", 401, ""},
		{withoutCertificate(svc), "guess", "", 401, ""},
		{withoutCertificate(svc), "token-alice", "", 403, ""},
		{svc.TLSAs(other + "web"), "", "", 403, ""},
		{svc.TLSAs("web"), "", "", 200, own + "web "},
		{svc.TLSAs("web"), "token-alice", "", 200, own + "web alice"},
		{svc.TLSAs("web"), "guess", "", 401, ""},
		{svc.TLSAs("web"), "", "/web", 200, own + "web "},
		{svc.TLSAs("teller"), "", "/web", 403, ""},
		{withoutCertificate(svc), "token-alice", "/users", 200, " alice"},
		{svc.TLSAs(other + "web"), "", "/users", 200, other + "web "},
		{svc.TLSAs("web"), "", "/users", 403, ""},
		{withoutCertificate(svc), "", "/public", 200, " "},
		{withoutCertificate(svc), "guess", "/public", 401, ""},
		{svc.TLSAs(other + "web"), "", "/public", 200, other + "web "},
	} {
		var header []string
		if row.token != "" {
			header = bearer(row.token)
		}
		got := do(t, svc.HTTPWith(row.who), "POST", "https://rest/handle"+row.path, "x", header...)
		if got.status != row.status || row.status == 200 && got.body != row.answer {
			t.Errorf("%q with token %q: got %s, want %d %q", row.path, row.token, got, row.status, row.answer)
		}
	}
}

// Where mutual TLS is off, somebody else was trusted with the question.
func TestHandleWithoutMutualTLS(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), env{"CHASSIS_MTLS": "off"})
	for path, want := range map[string]int{"/handle": 200, "/handle/public": 200, "/handle/web": 401} {
		if got := do(t, svc.HTTP(), "POST", "http://rest"+path, ""); got.status != want {
			t.Errorf("%s: got %s, want %d", path, got, want)
		}
	}
}

func TestHandleWithCallersThatAreNone(t *testing.T) {
	t.Parallel()
	expectAll(t, startError(t, setsUp(func(app *chassis.App) {
		app.Handle("GET /a", http.NotFoundHandler(), "web", "spiffe://*/web")
	}), nil), `HTTP pattern "GET /a"`, `callers have "spiffe://*/web"`)
}

// A page of another site does nothing in the name of a browser's user; programs, pages of the own
// host, and those that the operator trusts do.
func TestCrossSiteRequests(t *testing.T) {
	t.Parallel()
	ca := chassistest.NewCA(t)
	svc := chassistest.Start(t, edge(), chassistest.Options{CA: ca, Env: env{"CHASSIS_HTTP_TLS": "true",
		"CHASSIS_TRUSTED_ORIGINS": "https://app.example.com"}})
	evil := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
	cookie := []string{"Cookie", "session=1"}
	for name, request := range map[string]struct {
		config *tls.Config
		header []string
		status int
	}{
		"a program with a certificate":               {svc.TLSAs("web"), nil, 200},
		"a program with a cookie":                    {withoutCertificate(svc), cookie, 200},
		"another site, certificate":                  {svc.TLSAs("web"), evil, 403},
		"another site, certificate without identity": {withoutID(svc, ca), evil, 403},
		"another site, cookie":                       {withoutCertificate(svc), append(cookie, evil...), 403},
		"another site, password":                     {withoutCertificate(svc), append([]string{"Authorization", "Basic YTpi"}, evil...), 403},
		"another site, old browser":                  {svc.TLSAs("web"), evil[:2], 403},
		"another site of the domain":                 {svc.TLSAs("web"), []string{"Sec-Fetch-Site", "same-site"}, 403},
		"another site, nothing to prove":             {withoutCertificate(svc), evil, 200},
		"another site, token":                        {withoutCertificate(svc), append(bearer("token-alice"), evil...), 200},
		"the own site":                               {svc.TLSAs("web"), []string{"Origin", "https://localhost", "Sec-Fetch-Site", "same-origin"}, 200},
		"the address line":                           {svc.TLSAs("web"), []string{"Sec-Fetch-Site", "none"}, 200},
		"a trusted site":                             {svc.TLSAs("web"), []string{"Origin", "https://app.example.com", "Sec-Fetch-Site", "cross-site"}, 200},
	} {
		for _, path := range []string{"/v1/vault", "/handle/public"} {
			if got := do(t, svc.HTTPWith(request.config), "POST", "https://rest"+path, "{}", request.header...); got.status != request.status {
				t.Errorf("%s, %s: got %s, want %d", name, path, got, request.status)
			}
		}
		if got := do(t, svc.HTTPWith(request.config), "GET", "https://rest/v1/vault/1", "", request.header...); got.status != 200 {
			t.Errorf("%s, GET: got %s", name, got)
		}
	}
}

// A body is JSON by its media type; one that says nothing is taken for it, as programs do.
func TestBodiesAreJSONByTheirType(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), nil)
	for contentType, want := range map[string]int{
		"": 200, "application/json": 200, "application/json; charset=utf-8": 200, "Application/JSON": 200,
		"application/merge-patch+json": 200, "application/x-ndjson": 200,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "text/plain; a=application/json": 415,
		"application/json, text/plain": 415, "json": 415, "*/*": 415, ";": 415, "text/x+json": 415,
	} {
		var header []string
		if contentType != "" {
			header = []string{"Content-Type", contentType}
		}
		if got := do(t, svc.HTTP(), "POST", "http://rest/v1/vault", `{"how":"a"}`, header...); got.status != want {
			t.Errorf("%q: got %s, want %d", contentType, got, want)
		}
		if got := do(t, svc.HTTP(), "POST", "http://rest/v1/vault", "", header...); got.status != 200 {
			t.Errorf("%q without a body: got %s", contentType, got)
		}
	}
}

// The method is that of the request line, and a form is no query.
func TestMethodIsNotOverridden(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), nil)
	for _, override := range []string{"", "GET", "DELETE"} {
		got := do(t, svc.HTTP(), "POST", "http://rest/v1/vault/4111", "how=x", "Content-Type", "application/x-www-form-urlencoded", "X-HTTP-Method-Override", override)
		if got.status != 405 {
			t.Errorf("override %q: got %s, want 405", override, got)
		}
	}
}

// Text that is not UTF-8 is the caller's mistake wherever it stands, and nobody hears of it but the
// caller.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), nil)
	for _, bad := range []string{"%ff", "a%c3", "%c0%af", "%ed%a0%80"} {
		for _, url := range []string{"/v1/vault/" + bad, "/v1/vault/1?how=" + bad, "/v1/vault/1?" + bad + "=1", "/v1/vault/" + bad + "/watch"} {
			if got := do(t, svc.HTTP(), "GET", "http://rest"+url, ""); got.status != 400 {
				t.Errorf("GET %s: got %s, want 400", url, got)
			}
		}
	}
	for _, body := range []string{"{\"how\":\"\xff\"}", "{\"\xff\":1}", "\xff", "{\"how\":\"\xed\xa0\x80\"}"} {
		if got := do(t, svc.HTTP(), "POST", "http://rest/v1/vault", body); got.status != 400 {
			t.Errorf("POST %q: got %s, want 400", body, got)
		}
	}
	for _, good := range []string{"%C3%A9", "%F0%9F%90%8E"} {
		if got := do(t, svc.HTTP(), "GET", "http://rest/v1/vault/"+good+"?how="+good, ""); got.status != 200 {
			t.Errorf("GET %s: got %s", good, got)
		}
	}
}

// The limit of a method is one of what is received: a body is not read beyond it, and a message not
// decoded.
func TestMaxRequestBoundsWhatIsReceived(t *testing.T) {
	t.Parallel()
	svc := start(t, edge(), env{"CHASSIS_POLICY_OVERRIDES": policy(`"public": true, "max_request_bytes": 1024`)})
	rest := svc.HTTP()
	for size, want := range map[int]int{0: 200, 1000: 200, 1025: 413, 1 << 20: 413} {
		body := `{"how":"` + strings.Repeat("x", max(size-10, 0)) + `"}`
		if got := do(t, rest, "POST", "http://rest/v1/vault", body); got.status != want {
			t.Errorf("%d bytes by REST: got %.80s, want %d", size, got, want)
		}
	}
	if got := announce(t, rest, "http://rest/v1/vault"); got.status != 413 {
		t.Errorf("announced by REST: got %s, want 413", got)
	}
	client := vaultv1.NewVaultServiceClient(svc.Conn())
	for persons, want := range map[int]codes.Code{0: codes.OK, 400: codes.OK, 600: codes.ResourceExhausted, 1_000_000: codes.ResourceExhausted} {
		_, err := client.Store(t.Context(), people(persons), grpc.UseCompressor(gzip.Name))
		if status.Code(err) != want {
			t.Errorf("%d persons by gRPC: got %v, want %s", persons, err, want)
		}
	}
	expectAll(t, do(t, rest, "GET", "http://admin/metrics", "").body, `chassis_rpc_rejected_total{reason="too_large",rpc_method="vault.v1.VaultService/Store"} 2`)
}

// A message that is too large is not decoded. No other test runs beside this one, which counts what
// the process allocates.
func TestTooLargeIsNotDecoded(t *testing.T) {
	svc := start(t, edge(), env{"CHASSIS_POLICY_OVERRIDES": policy(`"public": true, "max_request_bytes": 1024`)})
	client := vaultv1.NewVaultServiceClient(svc.Conn())
	const persons = 1_000_000
	in := people(persons)
	var before, after runtime.MemStats
	for range 2 { // the first fills the pools
		runtime.ReadMemStats(&before)
		if _, err := client.Store(t.Context(), in, grpc.UseCompressor(gzip.Name)); status.Code(err) != codes.ResourceExhausted {
			t.Fatalf("got %v, want ResourceExhausted", err)
		}
		runtime.ReadMemStats(&after)
	}
	if n := after.Mallocs - before.Mallocs; n > persons/10 {
		t.Errorf("%d allocations, want none for each of %d persons", n, persons)
	}
}

// people is a request that names n persons: two bytes each, a few hundred in memory.
func people(n int) *vaultv1.StoreRequest {
	in := &vaultv1.StoreRequest{Load: &vaultv1.Secrets{}}
	empty := new(vaultv1.Person)
	for range n {
		in.Load.Persons = append(in.Load.Persons, empty)
	}
	return in
}
