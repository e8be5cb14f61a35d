package redact_test

import (
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/redact"
)

func TestSecretName(t *testing.T) {
	for _, name := range []string{
		// headers and metadata
		"authorization", "Authorization", "PROXY-AUTHORIZATION", "Cookie", "Set-Cookie", "x-api-key", "grpcgateway-cookie",
		"Grpcgateway-Authorization", "X-Auth-Key", "Ocp-Apim-Subscription-Key", "X-Functions-Key", "Auth", "X-Auth", "X-Session",
		"X-Signature", "X-Master-Key", "Dd-Application-Key", "x-amz-security-token", "csrf-token",
		// attributes, fields and parameters
		"X_API_KEY", "apiKey", "APIKey", "password", "dbPassword", "DBPassword", "PassWord", "token", "tokens", "access_token", "refreshToken",
		"authtoken", "client.secret", "clientSecret", "tls_private_key", "sessionId", "session_id", "session.id", "sessionid",
		"secret_id", "jwt", "bearer", "passwd", "pwd", "passphrase", "credentials", "AccountKey", "SharedAccessSignature",
		"password2", "API_KEY_1", "token1_old", "db.password", "http.request.header.authorization",
		// settings
		"API_KEYS", "PARTNER_TOKENS", "DB_PASS", "DB_PASS_OLD", "DB_PWD", "DB_PASSWORD", "PGPASSWORD", "SLACK_WEBHOOK_URL", "SIGNING_KEY",
		"SIGNING_KEY_PEM", "SECRET_KEY_BASE", "AWS_CREDENTIAL", "AWS_SECRET_ACCESS_KEY", "REDIS_AUTH", "REDIS_AUTH_STRING", "PASSWORD_SALT",
		"PASSWORD_HASH", "STRIPE_KEY", "SENTRY_DSN", "DATABASE_DSN", "SSH_PRIVATE_KEY", "JWT_SECRET", "CREDS", "PASSPHRASES", "PASS", "SECRETS",
		"VAULT_SECRET_ID", "TLS_PRIVATE_PEM", "AUTH",
		strings.Repeat("long-", 40) + "token", "token-" + strings.Repeat("long-", 40), "my" + strings.Repeat("long", 40) + "token",
	} {
		if !redact.SecretName(name) {
			t.Errorf("%.80s is not secret", name)
		}
	}
	for _, name := range []string{
		"", "-", "_", "1", "key", "KEY", "keys", "author", "authority", "cookie_count", "tokenizer", "secretary", "passenger", "bypass", "compass",
		"monkey", "keyboard", "page_token", "pageToken", "nextPageToken", "next_token", "pagetoken", "trace_id", "max_tokens", "total_tokens",
		"partition_key", "partitionKey", "idempotency_key", "public_key", "cache_key", "method", "peer", "path", "reason", "error_id",
		"TOKEN_TTL", "PASSWORD_FILE", "PASSWORD_MIN_LENGTH", "API_KEY_ID", "AWS_ACCESS_KEY_ID", "TLS_KEY_FILE", "CHASSIS_TLS_KEY_FILE",
		"CHASSIS_AUTHORIZATION", "JWT_ISSUER", "JWT_JWKS_URL", "JWT_ALGORITHMS", "JWT_AUDIENCE", "JWT_SUBJECT_CLAIM", "AUTH_URL",
		"CHASSIS_AUTH_TARGET", "AUTH_ENABLED", "token_type", "expires_in", "session", "DATABASE_URL", "authorized", "X-Forwarded-Client-Cert",
	} {
		if redact.SecretName(name) {
			t.Errorf("%s is secret", name)
		}
	}
}

func TestSecretNameDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		redact.SecretName("X-Forwarded-Client-Cert")
		redact.SecretName("DB_PASSWORD")
		redact.SecretName("nextPageToken")
	}); n != 0 {
		t.Errorf("allocates %v times, want 0", n)
	}
}

func BenchmarkSecretName(b *testing.B) {
	for b.Loop() {
		redact.SecretName("duration_seconds")
	}
}
