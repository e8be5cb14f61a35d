package chassis

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis/internal/harness"
)

// bare is an environment in which nothing says which one it is.
func bare(t *testing.T, environ ...string) (*instance, error) {
	t.Helper()
	i := newInstance(harness.With(t.Context(), &harness.Harness{Environ: append([]string{}, environ...)}), greeter())
	_, err := i.configure(t.Context())
	return i, err
}

// Development opens what production keeps closed, so it is guessed only where nobody else can reach
// the process and no environment has given it certificates.
func TestEnvironmentIsGuessedClosed(t *testing.T) {
	for _, tc := range []struct {
		environ string
		want    string
	}{
		{"", development},
		{"CHASSIS_MTLS=off", development},
		{"CHASSIS_MTLS=development", development},
		{"CHASSIS_GRPC_ADDR=localhost:1 CHASSIS_HTTP_ADDR=127.0.0.1:2 CHASSIS_ADMIN_ADDR=[::1]:3", development},
		{"CHASSIS_HTTP_ADDR=127.1.2.3:0", development},
		{"CHASSIS_HTTP_ADDR=LOCALHOST:0", development},
		{"CHASSIS_HTTP_ADDR=[::ffff:127.0.0.1]:0", development},
		{"CHASSIS_HTTP_ADDR= CHASSIS_TLS_CERT_FILE= KUBERNETES_SERVICE_HOST=", development}, // set but empty is not set

		{"KUBERNETES_SERVICE_HOST=10.0.0.1", production},
		{"CHASSIS_TLS_CERT_FILE=tls.crt", production},
		{"CHASSIS_TLS_KEY_FILE=tls.key", production},
		{"CHASSIS_TLS_CA_FILE=ca.crt", production},
		{"CHASSIS_TLS_CERT_FILE=tls.crt CHASSIS_HTTP_ADDR=localhost:1", production},
		{"SPIFFE_ENDPOINT_SOCKET=unix:///run/spire.sock", production},
		{"CHASSIS_MTLS=files", production},
		{"CHASSIS_MTLS=spiffe", production},
		{"CHASSIS_HTTP_ADDR=0.0.0.0:8080", production},
		{"CHASSIS_HTTP_ADDR=:8080", production},
		{"CHASSIS_HTTP_ADDR=[::]:8080", production},
		{"CHASSIS_GRPC_ADDR=192.0.2.2:9000", production},
		{"CHASSIS_ADMIN_ADDR=10.1.2.3:8081", production},
		{"CHASSIS_HTTP_ADDR=hello.example:8080", production},
		{"CHASSIS_HTTP_ADDR=localhost.example:8080", production},
		{"CHASSIS_HTTP_ADDR=127.0.0.1.example:8080", production},
		{"CHASSIS_HTTP_ADDR=[2001:db8::1]:8080", production},
		{"CHASSIS_HTTP_ADDR=8080", production}, // no address at all
		{"CHASSIS_MTLS=development CHASSIS_HTTP_ADDR=0.0.0.0:1", production},
		{"CHASSIS_MTLS=off CHASSIS_HTTP_ADDR=0.0.0.0:1", production},

		{"CHASSIS_ENVIRONMENT=development CHASSIS_HTTP_ADDR=0.0.0.0:1 CHASSIS_TLS_CERT_FILE=x", development}, // told
		{"CHASSIS_ENVIRONMENT=production", production},
	} {
		i, err := bare(t, strings.Fields(tc.environ)...)
		if err != nil {
			t.Errorf("%s: %v", tc.environ, err)
		}
		if i.cfg.Environment != tc.want || i.cfg.HTTPTLS != (tc.want == production) || i.cfg.HTTPDocs != (tc.want == development) {
			t.Errorf("%q: got %s, REST by TLS %t, docs %t; want %s", tc.environ, i.cfg.Environment, i.cfg.HTTPTLS, i.cfg.HTTPDocs, tc.want)
		}
		shown := i.cfg.settings[0]
		if told := strings.Contains(tc.environ, "CHASSIS_ENVIRONMENT"); shown.Value != tc.want || strings.HasPrefix(shown.Origin, "guessed: ") == told {
			t.Errorf("%q: shown as %+v", tc.environ, shown)
		}
	}
}

// A start that cannot be what was guessed says why that was guessed, and what to set.
func TestStartSaysWhyItIsProduction(t *testing.T) {
	for environ, why := range map[string]string{
		"CHASSIS_HTTP_ADDR=0.0.0.0:8080":                "CHASSIS_HTTP_ADDR is 0.0.0.0:8080, which other machines can reach",
		"CHASSIS_GRPC_ADDR=:0 CHASSIS_MTLS=development": "CHASSIS_GRPC_ADDR is :0",
		"KUBERNETES_SERVICE_HOST=10.0.0.1":              "KUBERNETES_SERVICE_HOST is set",
	} {
		// An empty CHASSIS_ENVIRONMENT is none, and takes the place of the test's own.
		code, _, stderr := process(t.Context(), greeter(), append(strings.Fields(environ), "CHASSIS_ENVIRONMENT="))
		for _, part := range []string{"no certificates", "CHASSIS_ENVIRONMENT is not set, and production is assumed because " + why,
			"CHASSIS_TLS_CERT_FILE", "CHASSIS_ENVIRONMENT=development"} {
			if code != exitFailed || !strings.Contains(stderr, part) {
				t.Errorf("%s: got %d and no %q in %s", environ, code, part, stderr)
			}
		}
	}
}

// secrets are settings that are secret or have a credential in them, by kinds of both.
func secrets() (cfg any, environ []string) {
	c := &struct {
		MySQL  string            `env:"DATABASE_URL"`
		Conn   string            `env:"DB_CONNECTION"`
		JDBC   string            `env:"JDBC_URL"`
		Keys   []string          `env:"API_KEYS"`
		Tokens map[string]string `env:"PARTNER_TOKENS"`
		Pass   string            `env:"DB_PASS"`
		Hook   string            `env:"SLACK_WEBHOOK_URL"`
		PEM    string            `env:"SIGNING_KEY_PEM"`
		Base   string            `env:"SECRET_KEY_BASE"`
		Frag   string            `env:"CALLBACK_URL"`
		Auth   string            `env:"REDIS_AUTH"`
		URLs   []string          `env:"BROKERS"`
		Preset string            `env:"PRESET, default=postgres://u:hunter2@db/x"`
		Fixed  string            `env:"FIXED_TOKEN, default=hunter2"`
	}{}
	return c, []string{
		"DATABASE_URL=ledger:hunter2@tcp(db:3306)/ledger", "DB_CONNECTION=host=db user=ledger password=hunter2",
		"JDBC_URL=jdbc:mysql://ledger:hunter2@db/ledger", "API_KEYS=hunter2,hunter2b", "PARTNER_TOKENS=acme:hunter2", "DB_PASS=hunter2",
		"SLACK_WEBHOOK_URL=https://hooks.slack.com/services/T0/B0/hunter2", "SIGNING_KEY_PEM=-----BEGIN hunter2", "SECRET_KEY_BASE=hunter2",
		"CALLBACK_URL=https://x.example/#access_token=hunter2", "REDIS_AUTH=hunter2", "BROKERS=amqp://a:hunter2@b,amqp://a:hunter2@c",
		"CHASSIS_WALLET_TARGET=dns:///u:hunter2@wallet:9000",
	}
}

// What is secret is in no output, whichever way the settings go.
func TestSecretSettingsAreNotPrinted(t *testing.T) {
	service := greeter()
	cfg, environ := secrets()
	service.Config = cfg
	for _, args := range [][]string{{"-check-config"}, {"-help"}, {"serve", "postgres://u:hunter2@db"}} {
		_, stdout, stderr := process(t.Context(), service, environ, args...)
		if text := stdout + stderr; strings.Contains(text, "hunter2") || len(text) == 0 {
			t.Errorf("%q prints a secret:\n%s", args, text)
		}
	}
	code, _, stderr := process(t.Context(), service, append(environ, "CHASSIS_CALL_TIMEOUT=amqp://u:hunter2@broker:56 72/"))
	if code != exitFailed || !strings.Contains(stderr, "CHASSIS_CALL_TIMEOUT") || strings.Contains(stderr, "hunter2") {
		t.Errorf("the error of a start: %d, %s", code, stderr)
	}
	// What Setup fails with quotes what it was given.
	service.Setup = func(context.Context, *App) error {
		return errors.New(`dial "postgres://ledger:hunter2@10.3.4.5:5432/ledger": refused`)
	}
	code, _, stderr = process(t.Context(), service, []string{"CHASSIS_MTLS=off"})
	if code != exitFailed || !strings.Contains(stderr, "10.3.4.5") || strings.Contains(stderr, "hunter2") {
		t.Errorf("the error of Setup: %d, %s", code, stderr)
	}
}
