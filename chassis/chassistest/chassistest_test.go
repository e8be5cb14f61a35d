package chassistest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/chassis/mtls"
)

// service answers Say with the identity of its caller.
func service() chassis.Service {
	return chassis.Service{Name: "echo", Setup: func(ctx context.Context, app *chassis.App) error {
		app.RegisterService(&echo.Desc, &echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
			id, _ := mtls.PeerID(ctx)
			app.Logger().InfoContext(ctx, "saying", "text", text)
			return fmt.Sprintf("%s to %q", text, id), nil
		}})
		app.Gateway(ctx, echo.RegisterGateway)
		return nil
	}}
}

func TestConnProvesAnIdentity(t *testing.T) {
	t.Parallel()
	svc := chassistest.Start(t, service(), chassistest.Options{})
	for _, test := range []struct {
		conn *grpc.ClientConn
		want string
	}{
		{svc.Conn(), `hi to "spiffe://test/client"`},
		{svc.ConnAs("web"), `hi to "spiffe://test/web"`},
		{svc.ConnAs("spiffe://elsewhere.org/a/b"), `hi to "spiffe://elsewhere.org/a/b"`},
	} {
		got, err := echo.Say(t.Context(), test.conn, "hi")
		if err != nil || got != test.want {
			t.Errorf("got %s, %v; want %s", got, err, test.want)
		}
	}
}

func TestCallersWithoutAGoodCertificateAreRefused(t *testing.T) {
	t.Parallel()
	svc := chassistest.Start(t, service(), chassistest.Options{})
	foreign := svc.TLS()
	foreign.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &chassistest.NewCA(t).Identity("web").Certificate, nil
	}
	nobody := svc.TLS()
	nobody.GetClientCertificate = nil
	for name, creds := range map[string]credentials.TransportCredentials{
		"plaintext":         insecure.NewCredentials(),
		"no certificate":    credentials.NewTLS(nobody),
		"foreign authority": credentials.NewTLS(foreign),
	} {
		if _, err := echo.Say(t.Context(), svc.ConnWith(grpc.WithTransportCredentials(creds)), "hi"); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: got %v, want Unavailable", name, err)
		}
	}
	if refused := svc.Metric("chassis_tls_handshake_errors_total"); refused < 3 {
		t.Errorf("got %v refused handshakes counted, want one of each kind", refused)
	}
}

func TestExpiredCallerIsRefused(t *testing.T) {
	t.Parallel()
	ca := chassistest.NewCA(t)
	svc := chassistest.Start(t, service(), chassistest.Options{CA: ca})
	expired := svc.TLS()
	expired.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &ca.Identity("web", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		}).Certificate, nil
	}
	if _, err := echo.Say(t.Context(), svc.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(expired))), "hi"); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
}

func TestServicesOfOneAuthorityCallEachOther(t *testing.T) {
	t.Parallel()
	ca := chassistest.NewCA(t)
	back := chassistest.Start(t, service(), chassistest.Options{CA: ca})
	conn := back.ConnAs("front") // as the client of front
	front := chassistest.Start(t, chassis.Service{Name: "front", Setup: func(_ context.Context, app *chassis.App) error {
		app.RegisterService(&echo.Desc, &echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
			return echo.Say(ctx, conn, text)
		}})
		return nil
	}}, chassistest.Options{CA: ca})
	got, err := echo.Say(t.Context(), front.ConnAs("web"), "hi")
	if want := `hi to "spiffe://test/front"`; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	front.Stop() // finds nothing of back's
}

func TestPlaintextWhereMutualTLSIsOff(t *testing.T) {
	t.Parallel()
	svc := chassistest.Start(t, service(), chassistest.Options{Env: map[string]string{"CHASSIS_MTLS": "off"}})
	if got, err := echo.Say(t.Context(), svc.ConnAs("web"), "hi"); err != nil || got != `hi to ""` {
		t.Errorf("got %s, %v; want a call without identity", got, err)
	}
}

func TestHTTPReachesBothPorts(t *testing.T) {
	t.Parallel()
	svc := chassistest.Start(t, service(), chassistest.Options{})
	if got := post(t, svc.HTTP(), "http://rest/v1/say", `"hi"`); got != `200 "hi to \"\""` {
		t.Errorf("REST: got %s", got)
	}
	for path, want := range map[string]string{
		"/livez": "200", "/readyz": "200", "/metrics": "chassis_ready 1", "/debug/config": "CHASSIS_GRPC_ADDR", "/debug/": "spiffe://test/echo",
	} {
		if got := get(t, svc.HTTP(), "http://admin"+path); !strings.Contains(got, want) {
			t.Errorf("%s: got %.300s, want %q in it", path, got, want)
		}
	}
	if _, err := svc.HTTP().Get("http://elsewhere/"); err == nil || !strings.Contains(err.Error(), "the hosts are rest and admin") {
		t.Errorf("another host: got %v, want an error that names the hosts", err)
	}
}

func TestHTTPSProvesAnIdentity(t *testing.T) {
	t.Parallel()
	svc := chassistest.Start(t, service(), chassistest.Options{Env: map[string]string{"CHASSIS_HTTP_TLS": "true"}})
	if got := post(t, svc.HTTPAs("web"), "https://rest/v1/say", `"hi"`); got != `200 "hi to \"spiffe://test/web\""` {
		t.Errorf("got %s", got)
	}
}

func TestWhatCameOut(t *testing.T) {
	t.Parallel()
	svc := chassistest.Start(t, service(), chassistest.Options{})
	if _, err := echo.Say(t.Context(), svc.ConnAs("web"), "hi"); err != nil {
		t.Fatal(err)
	}
	lines := svc.Logs("saying", "call")
	if len(lines) != 2 || lines[0]["text"] != "hi" || lines[1]["peer"] != "spiffe://test/web" {
		t.Fatalf("got lines %v, want the service's own and the call's", lines)
	}
	spans := svc.Spans()
	if len(spans) != 1 || spans[0].SpanContext().TraceID().String() != lines[0]["trace_id"] {
		t.Errorf("got spans %v, want one of the trace of line %v", spans, lines[0])
	}
	ok := svc.Metric("rpc_server_call_duration_seconds", "rpc_method", "test.v1.EchoService/Say", "rpc_status_code", "OK")
	failed := svc.Metric("rpc_server_call_duration_seconds", "rpc_status_code", "INTERNAL")
	if ok != 1 || failed != 0 {
		t.Errorf("got %v calls OK and %v failed, want 1 and 0", ok, failed)
	}
	if events := svc.Events(); events[len(events)-1].Step != chassis.Ready {
		t.Errorf("got %v as the last event, want ready", events[len(events)-1])
	}
}

func TestEventsReachTheServiceToo(t *testing.T) {
	t.Parallel()
	var own []chassis.Step
	s := service()
	s.OnEvent = func(e chassis.Event) { own = append(own, e.Step) }
	svc := chassistest.Start(t, s, chassistest.Options{})
	svc.Stop()
	var seen []chassis.Step
	for _, e := range svc.Events() {
		seen = append(seen, e.Step)
	}
	if !slices.Equal(own, seen) || seen[len(seen)-1] != chassis.Stopped {
		t.Errorf("the service saw %v, the test %v", own, seen)
	}
}

func TestEnvironmentIsTheTestsAlone(t *testing.T) {
	t.Setenv("CHASSIS_NONSENSE", "1") // would fail the start
	t.Setenv("GREETING", "from the process")
	var cfg struct {
		Greeting string `env:"GREETING"`
		Name     string `env:"NAME"`
	}
	s := service()
	s.Config = &cfg
	chassistest.Start(t, s, chassistest.Options{Env: map[string]string{"NAME": "Ada"}})
	if cfg.Greeting != "" || cfg.Name != "Ada" {
		t.Errorf("got %+v, want the test's settings alone", cfg)
	}
}

func TestTryStartReturnsTheError(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	svc, err := chassistest.TryStart(t, chassis.Service{Name: "broken", Setup: func(context.Context, *chassis.App) error { return boom }}, chassistest.Options{})
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want it to wrap Setup's", err)
	}
	if len(svc.Logs()) == 0 {
		t.Error("no lines of the start that failed")
	}
}

func TestWaitReturnsTheErrorOfARun(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	s := service()
	s.Setup = func(_ context.Context, app *chassis.App) error {
		app.GoRequired("worker", func(context.Context) error { return boom })
		return nil
	}
	svc := chassistest.Begin(t, s, chassistest.Options{})
	if err := svc.Wait(); !errors.Is(err, boom) {
		t.Errorf("got %v, want the worker's", err)
	}
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	return answer(t, resp, err)
}

func post(t *testing.T, client *http.Client, url, body string) string {
	t.Helper()
	resp, err := client.Post(url, "application/json", strings.NewReader(body))
	return answer(t, resp, err)
}

// answer returns status and body.
func answer(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}
