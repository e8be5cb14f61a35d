package chassis_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// asked is the answer to a request whose Accept-Encoding is the test's and not the transport's.
func asked(t *testing.T, client *http.Client, method, path string, header ...string) reply {
	t.Helper()
	transportOf(client).DisableCompression = true
	got := do(t, client, method, "http://rest"+path, "", header...)
	if got.header.Get("Content-Encoding") == "gzip" && method != "HEAD" {
		plain, err := gzip.NewReader(strings.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(plain)
		if err != nil {
			t.Fatal(err)
		}
		got.body = string(text)
	}
	return got
}

// Answers are compressed where that helps, for who asks for it.
func TestCompression(t *testing.T) {
	t.Parallel()
	large, small := strings.Repeat("x", 5000), "x"
	for name, tc := range map[string]struct {
		text, accept string
		header       http.Header // of the handler
		want         string      // Content-Encoding
		varies       bool
	}{
		"asked for":              {large, "gzip", nil, "gzip", true},
		"among others":           {large, "br, deflate;q=0.5 , GZIP ; q=0.1", nil, "gzip", true},
		"anything":               {large, "*", nil, "gzip", true},
		"its old name":           {large, "x-gzip", nil, "gzip", true},
		"not asked for":          {large, "", nil, "", true},
		"another":                {large, "br", nil, "", true},
		"excluded":               {large, "gzip;q=0, *", nil, "", true},
		"everything excluded":    {large, "*;q=0", nil, "", true},
		"none is preferred":      {large, "gzip;q=0.5, identity", nil, "", true},
		"no weight":              {large, "gzip;q=much", nil, "", true},
		"NaN":                    {large, "gzip;q=NaN", nil, "", true},
		"small":                  {small, "gzip", nil, "", false},
		"a strong tag":           {large, "gzip", http.Header{"Etag": {`"1"`}}, "", false},
		"a weak tag":             {large, "gzip", http.Header{"Etag": {`W/"1"`}}, "gzip", true},
		"encoded by the handler": {large, "gzip", http.Header{"Content-Encoding": {"br"}}, "br", false},
		"not to be transformed":  {large, "gzip", http.Header{"Cache-Control": {"private, No-Transform"}}, "", false},
		"not JSON":               {large, "gzip", http.Header{"Content-Type": {"text/plain"}}, "", false},
		"other JSON":             {large, "gzip", http.Header{"Content-Type": {"application/vnd.x+json"}}, "gzip", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := start(t, speaks(&echo.Service{OnSay: func(ctx context.Context, _ string) (string, error) {
				return tc.text, chassis.SetHTTP(ctx, 0, tc.header)
			}}), nil)
			got := asked(t, svc.HTTP(), "GET", "/v1/say/x", "Accept-Encoding", tc.accept)
			if got.header.Get("Content-Encoding") != tc.want || (got.header.Get("Vary") == "Accept-Encoding") != tc.varies {
				t.Errorf("got the encoding %q and Vary %q", got.header.Get("Content-Encoding"), got.header.Get("Vary"))
			}
			if got.body != `"`+tc.text+`"` {
				t.Errorf("got %.50q", got.body)
			}
			head := asked(t, svc.HTTP(), "HEAD", "/v1/say/x", "Accept-Encoding", tc.accept)
			if head.header.Get("Content-Length") != got.header.Get("Content-Length") || head.header.Get("Content-Encoding") != tc.want {
				t.Errorf("HEAD has %v", head.header)
			}
		})
	}
}

// A page of another site cannot measure what it may not read.
func TestCompressionForOtherSites(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 5000)
	svc := start(t, speaks(&echo.Service{OnSay: func(context.Context, string) (string, error) { return large, nil }}),
		env{"CHASSIS_HTTP_CORS_ORIGINS": "https://app.example.com,https://pay.example.com", "CHASSIS_TRUSTED_ORIGINS": "https://pay.example.com"})
	for name, tc := range map[string]struct {
		header []string
		want   string
	}{
		"no browser":             {nil, "gzip"},
		"the own site":           {[]string{"Sec-Fetch-Site", "same-origin", "Cookie", "a=1"}, "gzip"},
		"typed":                  {[]string{"Sec-Fetch-Site", "none", "Cookie", "a=1"}, "gzip"},
		"an image of another":    {[]string{"Sec-Fetch-Site", "cross-site", "Cookie", "a=1"}, ""},
		"a neighbour":            {[]string{"Sec-Fetch-Site", "same-site"}, ""},
		"a foreign script":       {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, ""},
		"an allowed script":      {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com"}, "gzip"},
		"one with cookies":       {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com", "Cookie", "a=1"}, ""},
		"a trusted with cookies": {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://pay.example.com", "Cookie", "a=1"}, "gzip"},
	} {
		got := asked(t, svc.HTTP(), "GET", "/v1/say/x", append(tc.header, "Accept-Encoding", "gzip")...)
		if got.status != 200 || got.header.Get("Content-Encoding") != tc.want {
			t.Errorf("%s: got %d with the encoding %q, want %q", name, got.status, got.header.Get("Content-Encoding"), tc.want)
		}
	}
}

// Streams, plain handlers and the setting 0 have none.
func TestNoCompression(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 5000)
	impl := &echo.Service{
		OnSay:  func(context.Context, string) (string, error) { return large, nil },
		OnList: func(_ context.Context, _ string, send func(string) error) error { return send(large) },
	}
	plain := func(app *chassis.App) {
		app.HandlePublic("GET /plain", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `"`+large+`"`)
		}))
	}
	svc, off := start(t, speaks(impl, plain), nil), start(t, speaks(impl), env{"CHASSIS_HTTP_COMPRESS_BYTES": "0"})
	for name, got := range map[string]reply{
		"a stream":        asked(t, svc.HTTP(), "GET", "/v1/list/x", "Accept-Encoding", "gzip"),
		"a plain handler": asked(t, svc.HTTP(), "GET", "/plain", "Accept-Encoding", "gzip"),
		"switched off":    asked(t, off.HTTP(), "GET", "/v1/say/x", "Accept-Encoding", "gzip"),
	} {
		if got.status != 200 || got.header.Get("Content-Encoding")+got.header.Get("Vary") != "" || !strings.Contains(got.body, large) {
			t.Errorf("%s: got %d %v", name, got.status, got.header)
		}
	}
}
