package settings_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/betmakers/paddock/internal/settings"
)

type pool struct {
	Size int `env:"SIZE, default=4" help:"Connections."`
}

type config struct {
	Addr     string        `env:"ADDR, default=:9000" dev:"localhost:9000" help:"Where it listens."`
	Timeout  time.Duration `env:"TIMEOUT, default=10s"`
	Level    slog.Level    `env:"LEVEL, default=INFO"`
	Peers    []string      `env:"PEERS, default=a,b"`
	Database string        `env:"DATABASE_URL"`
	Password string        `env:"PASSWORD"`
	Pin      string        `env:"PIN" secret:"true"`
	Kept     string        `env:"KEPT"`
	Pool     pool          `env:", prefix=POOL_"`
	Plain    pool
	internal int
	Other    string
}

func load(t *testing.T, development bool, env map[string]string, target any) (map[string]settings.Setting, error) {
	t.Helper()
	list, err := settings.Loader{Lookup: envconfig.MapLookuper(env), Development: development}.Load(t.Context(), target)
	byName := map[string]settings.Setting{}
	for _, s := range list {
		byName[s.Name] = s
	}
	return byName, err
}

func TestLoad(t *testing.T) {
	cfg := config{Kept: "by the program", Other: "untouched", internal: 1}
	got, err := load(t, false, map[string]string{"TIMEOUT": "1m", "LEVEL": "warn", "POOL_SIZE": "8", "PEERS": "x,y,z", "PIN": ""}, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Addr != ":9000" || cfg.Timeout != time.Minute || cfg.Level != slog.LevelWarn || strings.Join(cfg.Peers, "") != "xyz" ||
		cfg.Pool.Size != 8 || cfg.Plain.Size != 4 || cfg.Kept != "by the program" || cfg.Other != "untouched" {
		t.Errorf("got %+v", cfg)
	}
	for _, want := range []settings.Setting{
		{Name: "ADDR", Value: ":9000", Origin: settings.FromDefault, Default: ":9000", Help: "Where it listens.", Type: "string"},
		{Name: "TIMEOUT", Value: "1m0s", Origin: settings.FromEnvironment, Default: "10s", Type: "time.Duration"},
		{Name: "PEERS", Value: "x,y,z", Origin: settings.FromEnvironment, Default: "a,b", Type: "[]string"},
		{Name: "POOL_SIZE", Value: "8", Origin: settings.FromEnvironment, Default: "4", Help: "Connections.", Type: "int"},
		{Name: "SIZE", Value: "4", Origin: settings.FromDefault, Default: "4", Help: "Connections.", Type: "int"},
		{Name: "KEPT", Value: "by the program", Origin: settings.FromDefault, Type: "string"},
		{Name: "PIN", Origin: settings.FromDefault, Type: "string"},
	} {
		if got[want.Name] != want {
			t.Errorf("got %+v, want %+v", got[want.Name], want)
		}
	}
}

func TestDefaultsOfDevelopment(t *testing.T) {
	var cfg config
	got, err := load(t, true, nil, &cfg)
	if err != nil || cfg.Addr != "localhost:9000" || cfg.Timeout != 10*time.Second {
		t.Errorf("got %+v, %v; want development's address and the common timeout", cfg, err)
	}
	if got["ADDR"].Origin != settings.FromDevelopment || got["TIMEOUT"].Origin != settings.FromDefault {
		t.Errorf("got the origins %q and %q", got["ADDR"].Origin, got["TIMEOUT"].Origin)
	}
	if got, _ := load(t, true, map[string]string{"ADDR": ":1"}, &cfg); got["ADDR"].Value != ":1" || got["ADDR"].Origin != settings.FromEnvironment {
		t.Errorf("got %+v, want the environment's", got["ADDR"])
	}
}

func TestEveryErrorAtOnce(t *testing.T) {
	cfg := struct {
		Timeout  time.Duration `env:"TIMEOUT"`
		Size     int           `env:"SIZE"`
		Token    int           `env:"TOKEN"`
		Database string        `env:"DATABASE, required" help:"Where bets are kept."`
		private  string        `env:"PRIVATE"`
	}{private: ""}
	_, err := load(t, false, map[string]string{"TIMEOUT": "soon", "SIZE": "big", "TOKEN": "hunter2"}, &cfg)
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{
		`TIMEOUT: "soon" is not a valid time.Duration: `, `SIZE: "big" is not a valid int: `, "TOKEN: its value is not a valid int",
		"DATABASE is required but not set (Where bets are kept.)", "field private has an env tag but is not exported",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the secret is in the error: %v", err)
	}
}

func TestTargets(t *testing.T) {
	if got, err := load(t, false, nil, nil); len(got) != 0 || err != nil {
		t.Errorf("nil: got %v, %v; want no settings", got, err)
	}
	text := ""
	for _, target := range []any{struct{}{}, &text, (*config)(nil), 1} {
		if _, err := load(t, false, nil, target); err == nil || !strings.Contains(err.Error(), "must be a pointer to a struct") {
			t.Errorf("%T: got %v, want a refusal", target, err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	cfg := struct {
		Password string   `env:"DB_PASSWORD"`
		Key      string   `env:"API_KEY"`
		Keys     []string `env:"ALL" secret:"true"`
		Pin      int      `env:"PIN" secret:"true"`
		URL      string   `env:"URL"`
		URLs     []string `env:"URLS"`
		Broken   string   `env:"BROKEN"`
		Plain    string   `env:"PLAIN"`
	}{}
	got, err := load(t, false, map[string]string{
		"DB_PASSWORD": "hunter2", "API_KEY": "hunter2", "ALL": "hunter2,hunter2", "PIN": "4711",
		"URL": "postgres://bob:hunter2@db:5432/bets?password=hunter2", "URLS": "http://a,http://bob:hunter2@b/",
		"BROKEN": "http://bob:hunter2@b:port/", "PLAIN": "seen",
	}, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range got {
		if strings.Contains(s.Value, "hunter2") || strings.Contains(s.Value, "4711") || s.Value == "" {
			t.Errorf("%s is shown as %q", name, s.Value)
		}
	}
	if got["PLAIN"].Value != "seen" || !strings.Contains(got["URL"].Value, "db:5432/bets") || !strings.Contains(got["URLS"].Value, "http://a,") {
		t.Errorf("got %q, %q and %q; want what is no secret", got["PLAIN"].Value, got["URL"].Value, got["URLS"].Value)
	}
	if cfg.Password != "hunter2" || cfg.Pin != 4711 {
		t.Errorf("got %+v, want the program to have the secrets", cfg)
	}
}

func TestUnknown(t *testing.T) {
	known := []settings.Setting{{Name: "APP_GRPC_ADDR"}, {Name: "APP_HTTP_ADDR"}, {Name: "APP_TIMEOUT"}}
	for _, test := range []struct{ variable, want string }{
		{"APP_TIMEOUT=1s", ""},
		{"OTHER=1", ""},
		{"APPLE=1", ""},
		{"APP_GRPC_ADR=:1", "APP_GRPC_ADR is not a setting: did you mean APP_GRPC_ADDR?"},
		{"APP_HTPP_ADDR=:1", "did you mean APP_HTTP_ADDR?"},
		{"APP_TIMEOUTS", "did you mean APP_TIMEOUT?"},
		{"APP_XYZZY_PLUGH=1", "APP_XYZZY_PLUGH is not a setting: run with -help"},
		{"APP_=", "APP_ is not a setting"},
		{"APP_WEB_SERVICE_HOST=10.0.0.1", ""}, // what Kubernetes sets for a Service named app-web
		{"APP_WEB_SERVICE_PORT_GRPC=80", ""},
		{"APP_WEB_PORT=tcp://10.0.0.1:80", ""},
		{"APP_WEB_PORT_80_TCP_ADDR=10.0.0.1", ""},
		{"APP_WEB_PORT=80", "APP_WEB_PORT is not a setting"}, // Kubernetes would have said tcp://
	} {
		got := ""
		for _, err := range settings.Unknown([]string{test.variable}, "APP_", known) {
			got += err.Error()
		}
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.variable, got, test.want)
		}
	}
}

func TestUnknownInOrder(t *testing.T) {
	got := settings.Unknown([]string{"APP_ZZZZ=1", "APP_AAAA=1"}, "APP_", nil)
	if len(got) != 2 || !strings.HasPrefix(got[0].Error(), "APP_AAAA") {
		t.Errorf("got %q, want both by name", got)
	}
}
