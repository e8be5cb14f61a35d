package chassis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

func TestEveryConfigurationErrorAtOnce(t *testing.T) {
	t.Parallel()
	service := echoes(&echo.Service{})
	service.Name = "Echo"
	service.Setup = nil
	service.Config = &struct {
		Limit    int    `env:"LIMIT"`
		Database string `env:"DATABASE_URL, required" help:"Where bets are kept."`
	}{}
	got := startError(t, service, env{
		"CHASSIS_CALL_TIMEOUT": "soon", "CHASSIS_MTLS": "perhaps", "CHASSIS_GRPC_ADR": ":1", "CHASSIS_XYZZY": "1",
		"CHASSIS_LOG_LEVEL": "LOUD", "LIMIT": "many", "CHASSIS_DRAIN_DELAY": "18s", "CHASSIS_SHUTDOWN_TIMEOUT": "long",
	})
	// The drain delay cannot be held against a timeout that could not be read.
	if strings.Contains(got, "CHASSIS_DRAIN_DELAY") || strings.Count(got, "CHASSIS_SHUTDOWN_TIMEOUT") != 1 {
		t.Errorf("a setting that could not be read is told of more than once:\n%s", got)
	}
	expectAll(t, got,
		"chassis: reading the settings: ",
		`Service.Name is "Echo"`, "Service.Setup is nil",
		`CHASSIS_CALL_TIMEOUT: "soon" is not a valid time.Duration`, `CHASSIS_MTLS is "perhaps"`,
		`CHASSIS_LOG_LEVEL: "LOUD" is not a valid slog.Level`,
		"CHASSIS_GRPC_ADR is not a setting: did you mean CHASSIS_GRPC_ADDR?",
		"CHASSIS_XYZZY is not a setting: run with -help for the list",
		`LIMIT: "many" is not a valid int`,
		"DATABASE_URL is required but not set (Where bets are kept.)",
	)
}

func TestSettingsThatContradictEachOther(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  env
		want []string
	}{
		{env{"CHASSIS_ENVIRONMENT": "staging"}, []string{`CHASSIS_ENVIRONMENT is "staging"; it must be one of ["development" "production"]`}},
		{env{"CHASSIS_MTLS": "perhaps", "CHASSIS_LOG_FORMAT": "xml", "CHASSIS_LOG_REQUESTS": "some"},
			[]string{"CHASSIS_MTLS is", "CHASSIS_LOG_FORMAT is", "CHASSIS_LOG_REQUESTS is"}},
		{env{"CHASSIS_MAX_MESSAGE_BYTES": "0", "CHASSIS_MAX_HEADER_BYTES": "-1", "CHASSIS_MAX_CONCURRENT_STREAMS": "2147483648"},
			[]string{"CHASSIS_MAX_MESSAGE_BYTES is 0", "CHASSIS_MAX_HEADER_BYTES is -1", "CHASSIS_MAX_CONCURRENT_STREAMS is 2147483648"}},
		{env{"CHASSIS_BODY_TIMEOUT": "0s", "CHASSIS_CALL_TIMEOUT": "-1s"},
			[]string{"CHASSIS_BODY_TIMEOUT is 0s; it must be more than zero", "CHASSIS_CALL_TIMEOUT is -1s; it must not be negative"}},
		{env{"CHASSIS_GRACE_PERIOD": "15s"}, []string{"CHASSIS_SHUTDOWN_TIMEOUT is 20s, but the pod is killed after CHASSIS_GRACE_PERIOD, 15s"}},
		{env{"CHASSIS_DRAIN_DELAY": "18s"}, []string{"CHASSIS_DRAIN_DELAY is 18s, which leaves no time for calls"}},
		{env{"CHASSIS_DEBUG_CALLERS": "ops"}, []string{"CHASSIS_DEBUG_CALLERS is set, but the admin port has no TLS, so no client can prove its identity"}},
		{env{"CHASSIS_MTLS": "spiffe"}, []string{"SPIFFE_ENDPOINT_SOCKET is not set"}},
		{env{"CHASSIS_MTLS": "files", "CHASSIS_TLS_CERT_FILE": "cert.pem"}, []string{"CHASSIS_TLS_KEY_FILE is not set", "CHASSIS_TLS_CA_FILE is not set"}},
	} {
		expectAll(t, startError(t, echoes(&echo.Service{}), test.env), test.want...)
	}
}

func TestChassisSettingsAreNotTheServices(t *testing.T) {
	t.Parallel()
	service := echoes(&echo.Service{})
	service.Config = &struct {
		Port string `env:"CHASSIS_MY_PORT"`
	}{}
	expectAll(t, startError(t, service, nil), "Service.Config has a field for CHASSIS_MY_PORT")

	service.Config = struct{}{}
	expectAll(t, startError(t, service, nil), "must be a pointer to a struct")
}

func TestProductionNeedsCertificates(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]env{
		"said":       {"CHASSIS_ENVIRONMENT": "production", "CHASSIS_MTLS": "auto"},
		"Kubernetes": {"CHASSIS_ENVIRONMENT": "", "KUBERNETES_SERVICE_HOST": "10.0.0.1", "CHASSIS_MTLS": "development"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectAll(t, startError(t, echoes(&echo.Service{}), settings),
				"no certificates", "CHASSIS_TLS_CERT_FILE", "CHASSIS_TLS_KEY_FILE", "CHASSIS_TLS_CA_FILE", "SPIFFE_ENDPOINT_SOCKET")
		})
	}
}

// Variables that Kubernetes sets for a Service named chassis-something are nobody's mistake.
func TestServiceLinksAreNoSettings(t *testing.T) {
	t.Parallel()
	start(t, echoes(&echo.Service{}), env{"CHASSIS_WEB_SERVICE_HOST": "10.0.0.1", "CHASSIS_WEB_PORT": "tcp://10.0.0.1:80"})
}

func TestServiceConfigIsFilledBeforeSetup(t *testing.T) {
	t.Parallel()
	var cfg struct {
		Greeting string        `env:"GREETING, default=Hello"`
		Pause    time.Duration `env:"PAUSE, default=1s" dev:"1ms"`
	}
	var greeting string
	var pause time.Duration
	service := chassis.Service{Name: "configured", Config: &cfg, Setup: func(_ context.Context, app *chassis.App) error {
		app.Go("idle", untilStop)
		greeting, pause = cfg.Greeting, cfg.Pause
		return nil
	}}
	start(t, service, env{"GREETING": "Ahoy"})
	if greeting != "Ahoy" || pause != time.Millisecond {
		t.Errorf("got %q and %s, want the environment's and development's", greeting, pause)
	}
}

func TestSettingsAreShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	service := echoes(&echo.Service{})
	service.Config = &struct {
		Database string `env:"DATABASE_URL" help:"Where bets are kept."`
		APIKey   string `env:"API_KEY"`
		Pin      string `env:"PIN" secret:"true"`
	}{}
	svc := start(t, service, env{"DATABASE_URL": "postgres://bob:hunter2@db/bets", "API_KEY": "s3cr3t", "PIN": "4711"})
	page := do(t, svc.HTTP(), "GET", "http://admin/debug/config", "").body
	expectAll(t, page, "DATABASE_URL", "db/bets", "API_KEY", "PIN", "CHASSIS_GRPC_ADDR", "localhost:9000", "default in development", "environment")
	for _, secret := range []string{"hunter2", "s3cr3t", "4711"} {
		if strings.Contains(page, secret) {
			t.Errorf("the page shows the secret %q", secret)
		}
	}
}
