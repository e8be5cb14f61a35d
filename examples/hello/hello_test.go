package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

func TestSayHello(t *testing.T) {
	svc := chassistest.Start(t, Service(), chassistest.Options{Env: map[string]string{"GREETING": "Ahoy"}})
	hello := hellov1.NewHelloServiceClient(svc.ConnAs("web"))
	for _, test := range []struct{ name, want string }{
		{"Ada", "Ahoy, Ada!"},
		{"", "Ahoy, World!"},
	} {
		got, err := hello.SayHello(t.Context(), &hellov1.SayHelloRequest{Name: test.name})
		if err != nil || got.GetMessage() != test.want {
			t.Errorf("%q: got %q, %v; want %q", test.name, got.GetMessage(), err, test.want)
		}
	}
	_, err := hello.SayHello(t.Context(), &hellov1.SayHelloRequest{Name: strings.Repeat("x", 101)})
	var refused *chassis.Error
	if !errors.Is(err, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)) || !errors.As(err, &refused) {
		t.Fatalf("a name of 101 bytes: got %v, want NAME_TOO_LONG", err)
	}
	want := chassis.FieldViolation{Field: "name", Description: "has 101 bytes, and may have 100"}
	if refused.Code != codes.InvalidArgument || len(refused.Fields) != 1 || refused.Fields[0] != want {
		t.Errorf("a name of 101 bytes: got %+v, want InvalidArgument for %+v", refused, want)
	}
}

func TestCount(t *testing.T) {
	svc := chassistest.Start(t, Service(), chassistest.Options{})
	stream, err := hellov1.NewHelloServiceClient(svc.ConnAs("web")).Count(t.Context(), &hellov1.CountRequest{Name: "Ada", Times: 2, PauseMs: 1})
	if err != nil {
		t.Fatal(err)
	}
	for want := range int32(2) {
		if got, err := stream.Recv(); err != nil || got.GetNumber() != want+1 {
			t.Fatalf("got %v, %v; want number %d", got, err, want+1)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v after the last, want the end", err)
	}
}

func TestREST(t *testing.T) {
	svc := chassistest.Start(t, Service(), chassistest.Options{})
	for _, test := range []struct{ url, want string }{
		{"http://rest/v1/hello/Ada", `{"message":"Hello, Ada!"}`},
		{"http://rest/v1/hello/Ada/count?times=1&pause_ms=1", `{"result":{"number":1, "message":"Hello, Ada!"}}`},
		{"http://rest/v1/hello/Ada/count?times=-1", `"code":"INVALID_ARGUMENT"`},
		{"http://rest/v1/hello/" + strings.Repeat("x", 101), `"reason":"NAME_TOO_LONG","errors":[{"field":"name",`},
		{"http://rest/openapi.json", `"/v1/hello/{name}"`},
	} {
		_, body := get(t, svc.HTTP(), test.url)
		if plain := strings.ReplaceAll(body, " ", ""); !strings.Contains(plain, strings.ReplaceAll(test.want, " ", "")) {
			t.Errorf("%s: got %.300s, want %s in it", test.url, body, test.want)
		}
	}
}

func TestGreetingIsChecked(t *testing.T) {
	svc := chassistest.Start(t, Service(), chassistest.Options{})
	got, err := healthpb.NewHealthClient(svc.ConnAs("kubelet")).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("got %v, %v; want SERVING", got, err)
	}
	if up := svc.Metric("chassis_health_check_up", "check", "greeting"); up != 1 {
		t.Errorf("got %v, want the check to be up", up)
	}
}

func TestTallySumsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a minute passes at once
		s := newServer(config{Greeting: "Hello", Tally: time.Minute}, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.tally(ctx) }()
		s.greet("Ada")
		s.greet("Grace")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := s.total.Load(); got != 2 {
			t.Errorf("got %d greetings, want 2", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("got %v at the end, want nil", err)
		}
	})
}

// Everything that the chassis promises for any service holds for this one.
func TestConformance(t *testing.T) {
	chassistest.Conformance(t, Service(), chassistest.Options{})
}

// Three replicas are replaced under load, and no call is lost.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	chassistest.RollingRestart(t, Service, chassistest.RestartOptions{
		Call: func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := hellov1.NewHelloServiceClient(conn).SayHello(ctx, &hellov1.SayHelloRequest{Name: "Ada"})
			return err
		},
		Request: func(ctx context.Context) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodPost, "http://rest/v1/hello", strings.NewReader(`{"name":"Ada"}`))
		},
	})
}

// One call can be followed by one id through everything that the service tells about it.
func TestOneTraceID(t *testing.T) {
	svc := chassistest.Start(t, Service(), chassistest.Options{})
	header, _ := get(t, svc.HTTP(), "http://rest/v1/hello/Ada")
	id := header.Get("Trace-Id")
	if len(id) != 32 {
		t.Fatalf("got Trace-Id %q, want 32 digits", id)
	}
	lines := svc.Logs("call")
	if len(lines) != 1 || lines[0]["trace_id"] != id {
		t.Errorf("got lines %v, want one of trace %s", lines, id)
	}
	spans := svc.Spans()
	if len(spans) != 2 { // of the HTTP request and of the call
		t.Errorf("got %d spans, want 2", len(spans))
	}
	for _, span := range spans {
		if got := span.SpanContext().TraceID().String(); got != id {
			t.Errorf("span %s has trace %s, want %s", span.Name(), got, id)
		}
	}
	_, metrics := get(t, svc.HTTP(), "http://admin/metrics")
	exemplar := fmt.Sprintf(`trace_id="%s"`, id)
	for _, name := range []string{"rpc_server_call_duration_seconds_bucket", "http_server_request_duration_seconds_bucket"} {
		if !hasLine(metrics, name, exemplar) {
			t.Errorf("no exemplar of trace %s at %s", id, name)
		}
	}
}

// A method costs few series, and health checks and reflection none.
func TestFewSeries(t *testing.T) {
	svc := chassistest.Start(t, Service(), chassistest.Options{})
	hello := hellov1.NewHelloServiceClient(svc.ConnAs("web"))
	for _, name := range []string{"Ada", strings.Repeat("x", 101)} {
		_, _ = hello.SayHello(t.Context(), &hellov1.SayHelloRequest{Name: name})
		_, _ = get(t, svc.HTTP(), "http://rest/v1/hello/"+name)
	}
	_, _ = get(t, svc.HTTP(), "http://rest/v1/hello/Ada/count?times=1&pause_ms=1")
	_, _ = get(t, svc.HTTP(), "http://rest/none")
	probes := healthpb.NewHealthClient(svc.ConnAs("web"))
	if _, err := probes.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	_, metrics := get(t, svc.HTTP(), "http://admin/metrics")
	series := 0
	for line := range strings.Lines(metrics) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	if series >= 400 {
		t.Errorf("%d series, want fewer than 400", series)
	}
	for _, name := range []string{"grpc.health", "grpc.reflection"} {
		if strings.Contains(metrics, name) {
			t.Errorf("%s has series", name)
		}
	}
	t.Logf("%d series", series)
}

// hasLine reports whether one line of text has all the parts.
func hasLine(text string, parts ...string) bool {
next:
	for line := range strings.Lines(text) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue next
			}
		}
		return true
	}
	return false
}

func get(t *testing.T, client *http.Client, url string) (http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text, */*") // exemplars are in OpenMetrics alone
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header, string(body)
}

func TestContractIsDocumented(t *testing.T) {
	chassistest.Start(t, Service(), chassistest.Options{}).ContractIn("CONTRACT.md")
}
