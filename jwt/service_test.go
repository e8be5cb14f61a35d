package jwt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/jwt"
	vaultv1 "github.com/betmakers/paddock/jwt/internal/proto/jwttest/v1"
)

// vault tells each caller who it is.
type vault struct {
	vaultv1.UnimplementedVaultServiceServer
}

func (vault) Alice(ctx context.Context, _ *vaultv1.AliceRequest) (*vaultv1.AliceResponse, error) {
	return &vaultv1.AliceResponse{Subject: chassis.CallerOf(ctx).Subject}, nil
}

func (vault) Users(ctx context.Context, _ *vaultv1.UsersRequest) (*vaultv1.UsersResponse, error) {
	return &vaultv1.UsersResponse{Subject: chassis.CallerOf(ctx).Subject}, nil
}

func (vault) Web(ctx context.Context, _ *vaultv1.WebRequest) (*vaultv1.WebResponse, error) {
	return &vaultv1.WebResponse{Subject: chassis.CallerOf(ctx).Subject}, nil
}

func (vault) Mesh(ctx context.Context, _ *vaultv1.MeshRequest) (*vaultv1.MeshResponse, error) {
	return &vaultv1.MeshResponse{Subject: chassis.CallerOf(ctx).Subject}, nil
}

func (vault) Anyone(ctx context.Context, _ *vaultv1.AnyoneRequest) (*vaultv1.AnyoneResponse, error) {
	return &vaultv1.AnyoneResponse{Subject: chassis.CallerOf(ctx).Subject}, nil
}

func (vault) Watch(_ *vaultv1.WatchRequest, stream grpc.ServerStreamingServer[vaultv1.WatchResponse]) error {
	return stream.Send(&vaultv1.WatchResponse{Subject: chassis.CallerOf(stream.Context()).Subject})
}

// service is configured as one in production is: by its environment.
func service() chassis.Service {
	var cfg struct{ Tokens jwt.Config }
	tokens := new(jwt.Verifier)
	return chassis.Service{
		Name: "vault", Config: &cfg, Tokens: tokens,
		Setup: func(ctx context.Context, app *chassis.App) error {
			if err := tokens.Configure(ctx, cfg.Tokens); err != nil {
				return err
			}
			vaultv1.RegisterVaultServiceServer(app, vault{})
			app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
			return nil
		},
	}
}

func start(t *testing.T, i *issuer, env ...string) *chassistest.Running {
	t.Helper()
	all := map[string]string{"JWT_ISSUER": i.url, "JWT_AUDIENCE": audience}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	return chassistest.Start(t, service(), chassistest.Options{Env: all})
}

// methods of the vault, by the order in which tests name them.
var methods = []string{"alice", "users", "web", "mesh", "anyone", "watch"}

// Who may call what by REST: with and without a token, with and without a certificate.
func TestByREST(t *testing.T) {
	t.Parallel()
	key, stranger := newKey(t, "ec"), newKey(t, "ec")
	i := serve(t, key)
	plain, secure := start(t, i), start(t, i, "CHASSIS_HTTP_TLS=true")
	none := plain.HTTP()
	web, other := secure.HTTPAs("web"), secure.HTTPAs("spiffe://elsewhere/web")
	alice := "Bearer " + i.token(t, key, nil)
	for _, test := range []struct {
		name, authorization string
		client              *http.Client
		want                string // by methods
	}{
		{"nothing", "", none, "401 401 401 401 200 401"},
		{"alice", alice, none, "200 200 403 403 200 200"},
		{"alice, in lower case", strings.Replace(alice, "Bearer", "bearer", 1), none, "200 200 403 403 200 200"},
		{"bob", "Bearer " + i.token(t, key, map[string]any{"sub": "bob"}), none, "403 200 403 403 200 200"},
		{"a user called web", "Bearer " + i.token(t, key, map[string]any{"sub": "web"}), none, "403 200 403 403 200 200"},
		{"a user called as a service is", "Bearer " + i.token(t, key, map[string]any{"sub": "spiffe://test/web"}), none, "403 200 403 403 200 200"},
		{"a user called *", "Bearer " + i.token(t, key, map[string]any{"sub": "*"}), none, "403 200 403 403 200 200"},
		{"a user called user:alice", "Bearer " + i.token(t, key, map[string]any{"sub": "user:alice"}), none, "403 200 403 403 200 200"},
		{"an expired token", "Bearer " + i.token(t, key, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), none, "401 401 401 401 401 401"},
		{"a stranger's token", "Bearer " + i.token(t, stranger, nil), none, "401 401 401 401 401 401"},
		{"nonsense", "Bearer nonsense", none, "401 401 401 401 401 401"},
		{"no token", "Bearer ", none, "401 401 401 401 200 401"},
		{"a password", "Basic YWxpY2U6YWxpY2U=", none, "401 401 401 401 200 401"},
		{"web's certificate", "", web, "403 403 200 200 200 403"},
		{"web's certificate, and alice", alice, web, "200 200 200 200 200 200"},
		{"web's certificate, and nonsense", "Bearer nonsense", web, "401 401 401 401 401 401"},
		{"a certificate from elsewhere, and alice", alice, other, "200 200 403 403 200 200"},
	} {
		scheme := "http"
		if test.client != none {
			scheme = "https"
		}
		var got []string
		for _, method := range methods {
			got = append(got, fmt.Sprint(get(t, test.client, scheme+"://rest/v1/"+method, test.authorization).code))
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%s: got %s, want %s, of %q", test.name, got, test.want, methods)
		}
	}
	if answer := get(t, none, "http://rest/v1/users", alice); !strings.Contains(answer.body, `"subject":"alice"`) {
		t.Errorf("got %s, want the handler to know alice", answer.body)
	}
}

// Tokens are for the REST edge: by gRPC they are a header like any other, good or bad.
func TestByGRPC(t *testing.T) {
	t.Parallel()
	key := newKey(t, "ec")
	i := serve(t, key)
	svc := start(t, i)
	conn := svc.ConnAs("web")
	for _, authorization := range []string{"", "Bearer " + i.token(t, key, nil), "Bearer nonsense"} {
		ctx := t.Context()
		if authorization != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
		}
		for _, call := range []struct {
			method  string
			in, out proto.Message
			want    codes.Code
		}{
			{"Alice", &vaultv1.AliceRequest{}, &vaultv1.AliceResponse{}, codes.PermissionDenied},
			{"Users", &vaultv1.UsersRequest{}, &vaultv1.UsersResponse{}, codes.PermissionDenied},
			{"Web", &vaultv1.WebRequest{}, &vaultv1.WebResponse{}, codes.OK},
			{"Mesh", &vaultv1.MeshRequest{}, &vaultv1.MeshResponse{}, codes.OK},
			{"Anyone", &vaultv1.AnyoneRequest{}, &vaultv1.AnyoneResponse{}, codes.OK},
		} {
			err := conn.Invoke(ctx, "/jwttest.v1.VaultService/"+call.method, call.in, call.out)
			if status.Code(err) != call.want {
				t.Errorf("%s with %.10q: got %v, want %v", call.method, authorization, err, call.want)
			}
			if call.want == codes.OK && proto.Size(call.out) != 0 {
				t.Errorf("%s with %.10q: the handler was told of %v, want no subject", call.method, authorization, call.out)
			}
		}
	}
}

// What a token says is told to the handler and to nobody else; why it is refused stands in the log
// and not in the answer.
func TestTokensStayOutOfTelemetry(t *testing.T) {
	t.Parallel()
	key := newKey(t, "ec")
	i := serve(t, key)
	svc := start(t, i, "CHASSIS_LOG_LEVEL=DEBUG")
	tokens := []string{
		i.token(t, key, map[string]any{"sub": secret}),
		i.token(t, key, map[string]any{"sub": secret, "exp": time.Now().Add(-time.Hour).Unix()}),
		i.token(t, key, map[string]any{"sub": secret, "aud": secret}),
		secret,
	}
	for n, token := range tokens {
		answer := get(t, svc.HTTP(), "http://rest/v1/alice", "Bearer "+token)
		if want := []int{403, 401, 401, 401}[n]; answer.code != want || strings.Contains(answer.body, "expired") {
			t.Errorf("token %d: got %d %s, want %d without the reason", n, answer.code, answer.body, want)
		}
	}
	var told strings.Builder
	for _, line := range svc.Logs() {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		told.Write(text)
	}
	for _, span := range svc.Spans() {
		fmt.Fprint(&told, span.Name(), span.Attributes(), span.Events(), span.Status())
	}
	for _, hidden := range append(tokens, secret) {
		if strings.Contains(told.String(), hidden) {
			t.Errorf("%.20q is in what the service tells:\n%s", hidden, told.String())
		}
	}
	for _, reason := range []string{"has expired", "another audience", "compact form"} {
		if !strings.Contains(told.String(), "bearer token refused: jwt: ") || !strings.Contains(told.String(), reason) {
			t.Errorf("the log does not tell that a token was refused for %q", reason)
		}
	}
	if got := svc.Metric("chassis_rpc_rejected_total", "reason", "unauthenticated"); got != 3 {
		t.Errorf("got %v calls rejected as unauthenticated, want 3", got)
	}
	if got := svc.Metric("chassis_rpc_rejected_total", "reason", "denied"); got != 1 {
		t.Errorf("got %v calls rejected as denied, want 1", got)
	}
}

func TestServiceWithoutConfigurationDoesNotStart(t *testing.T) {
	t.Parallel()
	_, err := chassistest.TryStart(t, service(), chassistest.Options{})
	if err == nil || !strings.Contains(err.Error(), "JWT_ISSUER") || !strings.Contains(err.Error(), "JWT_AUDIENCE") {
		t.Errorf("got %v, want what is missing", err)
	}
}

// An issuer that does not answer keeps no service from starting, nor from stopping.
func TestServiceWithoutIssuer(t *testing.T) {
	t.Parallel()
	key := newKey(t, "ec")
	i := newIssuer(key)
	i.url = "http://127.0.0.1:1"
	svc := start(t, i)
	if got := get(t, svc.HTTP(), "http://rest/v1/users", "Bearer "+i.token(t, key, nil)).code; got != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", got)
	}
	if got := get(t, svc.HTTP(), "http://rest/v1/anyone", "").code; got != http.StatusOK {
		t.Errorf("got %d, want 200", got)
	}
}

type answer struct {
	code int
	body string
}

func get(t *testing.T, client *http.Client, url, authorization string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true // read deadlines of connections in memory may fire late, and then end the request that comes next
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, string(body)}
}
