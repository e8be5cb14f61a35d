package redact_test

import (
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/redact"
)

// Each text has a secret, hunter2, that is a credential where it stands, and "seen" where something
// must be left.
func TestValuesMasksCredentials(t *testing.T) {
	for _, text := range []string{
		"postgres://bob:hunter2@seen:5432/bets",
		"postgres://hunter2@seen/bets",
		"postgres://bob:hunter2@seen/bets?sslmode=disable",
		"postgres://seen/bets?user=bob&password=hunter2",
		"postgres://bob:x/hunter2@seen/bets",
		"postgres://bob:x@hunter2@seen/bets",
		"postgres://bob:x?hunter2@seen/bets",
		"postgres://bob:x#hunter2@seen/bets",
		"postgres://bob:x hunter2@seen/bets",
		`postgres://bob:x"hunter2@seen/bets`,
		"redis://:hunter2@seen:6379/0",
		"amqp://ledger:hunter2@seen:56 72/",
		`BROKER: "amqp://ledger:hunter2@seen:56 72/" is no valid URL: parse "amqp://ledger:hunter2@seen:56 72/": invalid port ":56 72" after host`,
		`"amqp://ledger:x hunter2@seen:56 72/"`,
		"nats://a:hunter2@seen:4222,nats://b:hunter2@seen:4222",
		"https://a:hunter2@seen/x,https://b:hunter2@seen/y",
		"http://seen:8080/,http://bob:hunter2@seen/",
		"mongodb+srv://bob:hunter2@seen/?w=majority",
		"https://hooks.seen.example/services?sig=hunter2",
		"https://seen.example/callback#hunter2",
		"https://seen.example/callback#access_token=hunter2&x=1",
		"seen.example/callback#hunter2hunter2",
		"seen.example/callback?k=hunter2",
		"jdbc:mysql://bob:hunter2@seen:3306/bets",
		"jdbc:mysql://seen:3306/bets?user=bob&password=hunter2",
		"jdbc:sqlserver://seen:1433;databaseName=bets;user=sa;password=hunter2;encrypt=true",
		"jdbc:oracle:thin:bob/hunter2@//seen:1521/bets",
		"jdbc:oracle:thin:bob/hunter2@seen:1521:bets",
		"bob:hunter2@tcp(seen:3306)/bets",
		"bob:x@hunter2@tcp(seen:3306)/bets?parseTime=true",
		"bob:x/hunter2@tcp(seen:3306)/bets",
		"bob:x hunter2@tcp(seen:3306)/bets",
		"bob:hunter2@unix(/var/run/seen.sock)/bets",
		`opening: "bob:hunter2@tcp(seen:3306)/bets": seen`,
		"bob:hunter2@seen:587",
		"host=seen user=bob password=hunter2 dbname=bets",
		"host=seen password = hunter2 dbname=bets",
		"host=seen password='x hunter2' dbname=bets",
		`host=seen password='x\'hunter2' dbname=bets`,
		"host=seen password=x;hunter2 dbname=bets",
		"host=seen password=x@hunter2/y?z dbname=bets",
		`host=seen password=x"hunter2 dbname=bets`, `cannot open "host=seen password=hunter2": seen`,
		"PASSWORD=hunter2 host=seen", "PGPASSWORD=hunter2 psql seen",
		"Server=seen;Uid=bob;Pwd=hunter2;", "Server=seen;Uid=bob;Pwd=x hunter2;Encrypt=yes", "Server=seen;Pwd={x;hunter2};Encrypt=yes",
		"Endpoint=sb://seen/;SharedAccessKeyName=root;SharedAccessKey=hunter2=",
		"DefaultEndpointsProtocol=https;AccountName=seen;AccountKey=hunter2==;EndpointSuffix=core",
		`{"host":"seen","password":"hunter2"}`, `{"host": "seen", "apiKey": "x\"hunter2"}`, `{"token": hunter2, "host": "seen"}`,
		`"{\"host\":\"seen\",\"password\":\"hunter2\"}"`,
		"{host: seen, password: hunter2}", "user:seen,password:hunter2",
		"seen --token hunter2", "seen --db-password=hunter2 -v",
		"seen: Authorization=Bearer hunter2", "seen Bearer eyJhunter2hunter2hunter2",
		"seen\n-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\nseen",
		`seen -----BEGIN PRIVATE KEY-----\nhunter2`,
		"amqp://ledger:hunter2@seen/" + strings.Repeat("x", 100_000), // cut
	} {
		got := redact.Values(text)
		if strings.Contains(got, "hunter2") || !strings.Contains(got, redact.Mask) || strings.Contains(text, "seen") && !strings.Contains(got, "seen") {
			t.Errorf("%.200q\nbecomes %.200q", text, got)
		}
		if again := redact.Values(got); len(got) < 1000 && again != got {
			t.Errorf("%.200q\nbecomes %.200q\nand %.200q", text, got, again)
		}
	}
}

// A parameter of a query is masked with the query, and what encloses or follows the URL stays.
func TestValuesMasksAQueryOnce(t *testing.T) {
	for text, want := range map[string]string{
		"/x?password=hunter2":                   "/x?[REDACTED]",
		"https://a/x?password=hunter2":          "https://a/x?[REDACTED]",
		"https://a/x?k=1&password=hunter2":      "https://a/x?[REDACTED]",
		"https://a/x?password=hunter2&k=1":      "https://a/x?[REDACTED]",
		"https://a/x?password=hunter2#f":        "https://a/x?[REDACTED]",
		"https://a/x#token=hunter2":             "https://a/x#[REDACTED]",
		`get "https://a/x?token=hunter2": seen`: `get "https://a/x?[REDACTED]": seen`,
		"(https://a/x?k=hunter2)":               "(https://a/x?[REDACTED])",
		"[https://a/x?k=hunter2]":               "[https://a/x?[REDACTED]]",
		"https://a/x?[REDACTED]":                "https://a/x?[REDACTED]",
	} {
		if got := redact.Values(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestValuesLeavesTheRest(t *testing.T) {
	for _, text := range []string{
		"", " ", "@", ":", "=", "://", "#", "?", "10s", "localhost:8080", "[::1]:8080", "dns:///wallet:9000", "http://localhost:8080/x", "http://[::1]:8080/x",
		"https://medium.com/@betmakers", "http://seen:8080/x", "spiffe://prod.example/web", "unix:///run/spire.sock", "passthrough:///bufnet",
		"ada@example.com", "mailto:ada@example.com", "registry.example/app:v1@sha256:0123456789abcdef", "golang.org/x/net@v0.1.0: not found",
		"token: expired", "chassis: the token is refused: no kid", "authorization: denied", "a: b = c", "x=1 y=2", "key=value", "page_token=abc",
		"what? really", "issue #123", "C# and F#", "CHASSIS_TLS_KEY_FILE=/etc/tls.key", "dial tcp 10.3.4.5:5432: connect: connection refused",
		"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", "bearer token required", "a -v token", "rpc error: code = Internal desc = x",
	} {
		if got := redact.Values(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// Work and memory are in proportion to the text, whatever it is made of.
func TestValuesIsBounded(t *testing.T) {
	for _, part := range []string{" ", "@", "=", ":", "\"", "\\", "'", "://", "a:b@", "a:b@tcp(", "password=", "token:", "://a:b ", "--token ", "-----BEGIN PRIVATE KEY-----", "{\"password\":", ";", "a;", "password=a ", "?#", ": "} {
		text := strings.Repeat(part, 4<<20/len(part))
		if got := redact.Values(text); len(got) > 1<<20 {
			t.Errorf("%q: %d bytes become %d", part, len(text), len(got))
		}
	}
}

func FuzzValues(f *testing.F) {
	for _, seed := range []string{"a://b:c@d?e#f", "a:b@tcp(c)/d", `password="x\"y" z=1`, "Pwd={a;b};c=d", "-----BEGIN PRIVATE KEY-----", "Bearer abcdefghijklmnopqrst", "{'token': x}", "--token a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := redact.Values(text)
		if len(got) > 16*len(text)+100 {
			t.Errorf("%d bytes become %d", len(text), len(got))
		}
		if strings.Contains(redact.Values("postgres://bob:hunter2@db/x "+text), "hunter2") && !strings.Contains(text, "hunter2") {
			t.Errorf("%q lets a credential out", text)
		}
	})
}
