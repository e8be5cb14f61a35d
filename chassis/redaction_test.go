package chassis_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

// canary is in every secret, so that one search finds them all.
const (
	canary    = "c4n4ry"
	canaryPin = 987698769876
)

func secretsWith(label string) *vaultv1.Secrets {
	s := func(what string) string { return canary + "-" + label + "-" + what + `-"quoted"` }
	person := &vaultv1.Person{Name: "Ada", Email: s("email")}
	return &vaultv1.Secrets{
		Text: s("text"), Raw: []byte(s("raw")), List: []string{s("list"), s("list2")}, Pairs: map[string]string{s("key"): s("value")},
		Hidden: &vaultv1.Person{Name: s("name"), Email: s("email2")}, Person: person, Persons: []*vaultv1.Person{person},
		ByName: map[string]*vaultv1.Person{"ada": person}, Choice: &vaultv1.Secrets_Chosen{Chosen: s("chosen")}, Open: "seen",
	}
}

// vault is a service that hands its secrets to everything that knows their places.
type vault struct {
	vaultv1.UnimplementedVaultServiceServer
	log *slog.Logger
}

type wrapped struct{ Request proto.Message }

// careless does what how says with a message that has secrets. It prints no message into a text:
// that is the service's own word, and stays.
func (v *vault) careless(ctx context.Context, how string, m proto.Message) error {
	md, _ := metadata.FromIncomingContext(ctx)
	span := oteltrace.SpanFromContext(ctx)
	switch how {
	case "log":
		v.log.InfoContext(ctx, "a value", "request", m, "wrapped", wrapped{m}, "list", []any{m}, "map", map[string]any{"m": m}, "metadata", md)
		v.log.WithGroup("g").With("request", m).ErrorContext(ctx, "in a group", "metadata", md, slog.Group("h", "request", &m))
		v.log.Info("without the call", "request", m, "authorization", first(md["authorization"]), "header", http.Header(md))
	case "any":
		packed, err := anypb.New(m)
		if err != nil {
			return err
		}
		v.log.InfoContext(ctx, "packed", "any", packed, "list", []*anypb.Any{packed})
	case "span":
		span.SetAttributes(attribute.String("authorization", first(md["authorization"])), attribute.String("db.password", canary+"-password"))
		span.AddEvent("e", oteltrace.WithAttributes(attribute.String("token", canary+"-token")))
	case "panic with the message":
		panic(m)
	case "panic with a struct":
		panic(&wrapped{m})
	case "panic with metadata":
		panic(md)
	case "error":
		return fmt.Errorf("asking: %w", &url.Error{Op: "Get", URL: "http://db/" + "?token=" + canary, Err: io.EOF})
	case "wrapped status":
		return errors.Join(&url.Error{Op: "Get", URL: "http://bob:" + canary + "@db/", Err: io.EOF}, status.Error(codes.Unavailable, "seen"))
	}
	return nil
}

var carelessness = []string{
	"", "log", "any", "span", "panic with the message", "panic with a struct", "panic with metadata", "error", "wrapped status",
}

func first(values []string) string { return strings.Join(values, "") }

func (v *vault) Store(ctx context.Context, in *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	return &vaultv1.StoreResponse{Receipt: "1"}, v.careless(ctx, in.GetHow(), in)
}

func (v *vault) Watch(in *vaultv1.WatchRequest, stream grpc.ServerStreamingServer[vaultv1.WatchResponse]) error {
	if err := stream.Send(&vaultv1.WatchResponse{Receipt: "1"}); err != nil {
		return err
	}
	return v.careless(stream.Context(), in.GetHow(), in)
}

func (v *vault) Upload(stream grpc.ClientStreamingServer[vaultv1.UploadRequest, vaultv1.UploadResponse]) error {
	var last *vaultv1.UploadRequest
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.Join(v.careless(stream.Context(), last.GetHow(), last), stream.SendAndClose(&vaultv1.UploadResponse{Receipt: "1"}))
		}
		if err != nil {
			return err
		}
		last = in
	}
}

func (v *vault) Chat(stream grpc.BidiStreamingServer[vaultv1.ChatRequest, vaultv1.ChatResponse]) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = errors.Join(stream.Send(&vaultv1.ChatResponse{Receipt: "1"}), v.careless(stream.Context(), in.GetHow(), in))
		}
		if err != nil {
			return err
		}
	}
}

type vaultConfig struct {
	Word     chassis.Secret[string] `env:"WORD"`
	Password string                 `env:"VAULT_PASSWORD"`
	Tagged   string                 `env:"TAGGED" secret:"true"`
	Address  string                 `env:"ADDRESS"`
}

// vaultService logs its settings too, as careless services do.
func vaultService() chassis.Service {
	var cfg vaultConfig
	return chassis.Service{Name: "vault", Config: &cfg, Tokens: fakeTokens{}, Setup: func(ctx context.Context, app *chassis.App) error {
		logged := cfg
		logged.Address = "" // it is hidden on the pages, and a plain string in a log
		app.Logger().Info("settings", "config", logged, "pointer", &cfg.Word, "text", fmt.Sprintf("%+v", cfg.Word))
		vaultv1.RegisterVaultServiceServer(app, &vault{log: app.Logger()})
		app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler)
		return nil
	}}
}

// capture is a test that keeps what the service writes to standard output.
type capture struct {
	testing.TB
	mu  sync.Mutex
	out bytes.Buffer
}

func (c *capture) Output() io.Writer { return c }

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

// expectNoCanary searches what came out somewhere.
func expectNoCanary(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), fmt.Sprint(canaryPin), fmt.Sprintf("%x", canary)} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s has a secret: …%s…", where, text[max(0, i-150):min(len(text), i+150)])
			return
		}
	}
}

// Secrets are sent in by every way, and everything that comes out is searched for them.
func TestSecretsDoNotComeOut(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			out := &capture{TB: t}
			svc := chassistest.Start(out, vaultService(), chassistest.Options{Env: env{
				"CHASSIS_LOG_FORMAT": format, "CHASSIS_LOG_LEVEL": "DEBUG", "CHASSIS_FLIGHT_RECORDER": "true",
				"WORD": canary + "-word", "VAULT_PASSWORD": canary + "-setting", "TAGGED": canary + "-tagged",
				"ADDRESS": "postgres://user:" + canary + "@db/vault?password=" + canary,
			}})
			sendByGRPC(t, svc)
			sendByREST(t, svc)
			lines, err := json.Marshal(svc.Logs())
			if err != nil {
				t.Fatal(err)
			}
			expectNoCanary(t, "the log's records", string(lines))
			for _, span := range svc.Spans() {
				expectNoCanary(t, "span "+span.Name(), fmt.Sprint(span.Name(), span.Attributes(), span.Events(), span.Links(), span.Status(), span.Resource()))
			}
			for _, path := range []string{
				"/metrics", "/debug/", "/debug/status.json", "/debug/config", "/debug/pprof/goroutine?debug=2", "/debug/pprof/goroutine?debug=1",
				"/debug/pprof/cmdline", "/debug/pprof/heap?debug=1", "/debug/flight", "/readyz?verbose", "/debug/authorize?method=vault.v1.VaultService/Store",
			} {
				got := do(t, svc.HTTP(), "GET", "http://admin"+path, "", "Accept", "application/openmetrics-text, */*")
				if got.status != 200 && !strings.Contains(path, "cmdline") {
					t.Errorf("%s: got %d", path, got.status)
				}
				expectNoCanary(t, path, got.body)
			}
			svc.Stop()
			out.mu.Lock()
			defer out.mu.Unlock()
			expectNoCanary(t, "standard output", out.out.String())
			if !strings.Contains(out.out.String(), "[REDACTED]") || !strings.Contains(out.out.String(), "seen") {
				t.Error("nothing was masked, or everything: the test does not reach what it is about")
			}
		})
	}
}

func sendByGRPC(t *testing.T, svc *chassistest.Running) {
	client := vaultv1.NewVaultServiceClient(svc.ConnAs("keeper"))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+canary+"-grpc-token", "cookie", "session="+canary+"-cookie",
		"x-api-key", canary+"-key", "x-auth-token", canary+"-auth", "baggage", "tenant=1")
	for i, how := range carelessness {
		secrets := secretsWith(fmt.Sprint(i))
		_, err := client.Store(ctx, &vaultv1.StoreRequest{How: how, Load: secrets, Card: canary + "-card", Pin: canaryPin})
		expectNoCanaryInError(t, "Store, "+how, err)
		if watch, err := client.Watch(ctx, &vaultv1.WatchRequest{How: how, Load: secrets}); err != nil {
			t.Error(err)
		} else {
			for err == nil {
				_, err = watch.Recv()
			}
			expectNoCanaryInError(t, "Watch, "+how, err)
		}
		if upload, err := client.Upload(ctx); err != nil {
			t.Error(err)
		} else {
			err = errors.Join(upload.Send(&vaultv1.UploadRequest{Load: secretsWith("earlier")}), upload.Send(&vaultv1.UploadRequest{How: how, Load: secrets}))
			if _, err2 := upload.CloseAndRecv(); err == nil {
				err = err2
			}
			expectNoCanaryInError(t, "Upload, "+how, err)
		}
		if chat, err := client.Chat(ctx); err != nil {
			t.Error(err)
		} else {
			for err = chat.Send(&vaultv1.ChatRequest{How: how, Load: secrets}); err == nil; {
				_ = chat.CloseSend()
				_, err = chat.Recv()
			}
			expectNoCanaryInError(t, "Chat, "+how, err)
		}
	}
}

// expectNoCanaryInError searches what a caller is told, details included.
func expectNoCanaryInError(t *testing.T, where string, err error) {
	t.Helper()
	if err != nil {
		expectNoCanary(t, where, fmt.Sprint(err, status.Convert(err).Proto(), status.Convert(err).Details()))
	}
}

func sendByREST(t *testing.T, svc *chassistest.Running) {
	for _, token := range []string{"token-" + canary, canary + "-bad"} {
		headers := []string{
			"Authorization", "Bearer " + token, "Cookie", "session=" + canary + "-cookie; other=" + canary + "-other", "X-Api-Key", canary + "-key",
			"Grpc-Metadata-X-Api-Key", canary + "-key2", "Proxy-Authorization", "Basic " + canary, "Content-Type", "application/json",
		}
		for i, how := range carelessness {
			body, err := json.Marshal(map[string]any{"how": how, "card": canary + "-card", "pin": canaryPin, "load": map[string]any{
				"text": canary + fmt.Sprint(i), "list": []string{canary + "-list"}, "person": map[string]any{"email": canary + "-email"}, "open": "seen",
			}})
			if err != nil {
				t.Fatal(err)
			}
			for _, request := range [][3]string{
				{"POST", "/v1/vault", string(body)},
				{"GET", "/v1/vault/" + canary + "-card?how=" + strings.ReplaceAll(how, " ", "+") + "&load.text=" + canary + "-query&pin=" + fmt.Sprint(canaryPin), ""},
				{"GET", "/v1/vault/" + canary + "-path/watch?how=" + strings.ReplaceAll(how, " ", "+"), ""},
			} {
				got := do(t, svc.HTTP(), request[0], "http://rest"+request[1], request[2], headers...)
				expectNoCanary(t, fmt.Sprint(request[:2], how), fmt.Sprint(got.status, got.header, got.body))
			}
		}
		for _, request := range [][3]string{ // what cannot be read
			{"POST", "/v1/vault", `{"pin": "` + canary + `"}`},
			{"POST", "/v1/vault", `{"card": ` + canary + `}`},
			{"POST", "/v1/vault", `{"` + canary},
			{"POST", "/v1/vault", canary},
			{"POST", "/v1/vault", `{"load": {"raw": "` + canary + `!"}}`},
			{"GET", "/v1/vault/x?pin=" + canary, ""},
			{"GET", "/v1/vault/x?load.raw=" + canary + "!", ""},
			{"GET", "/v1/vault/x?load.pairs[a]=" + canary + "&load.hidden=" + canary, ""},
		} {
			got := do(t, svc.HTTP(), request[0], "http://rest"+request[1], request[2], headers...)
			expectNoCanary(t, fmt.Sprint(request), fmt.Sprint(got.header, got.body))
		}
	}
}
