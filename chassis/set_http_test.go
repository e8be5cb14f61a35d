package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// says is an echo whose handlers call set first.
func says(set func(ctx context.Context) error) *echo.Service {
	return &echo.Service{
		OnSay: func(ctx context.Context, text string) (string, error) { return text, set(ctx) },
		OnList: func(ctx context.Context, text string, send func(string) error) error {
			return errors.Join(set(ctx), send(text))
		},
	}
}

// What a handler says of its HTTP answer is what the client gets, by HTTP/1 and HTTP/2, and what is
// counted.
func TestSetHTTP(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		header http.Header
		want   int
		body   string
	}{
		"created":            {201, http.Header{"Location": {"/v1/say/x"}, "Set-Cookie": {"a=1; HttpOnly", "b=2"}}, 201, `"x"`},
		"accepted":           {202, nil, 202, `"x"`},
		"no content":         {204, http.Header{"Etag": {`"1"`}}, 204, ""},
		"see other":          {303, http.Header{"Location": {"/elsewhere"}}, 303, `"x"`},
		"not modified":       {304, http.Header{"Etag": {`"1"`}, "Cache-Control": {"max-age=1"}}, 304, ""},
		"the header alone":   {0, http.Header{"cache-control": {"no-store"}, "Content-Disposition": {`attachment; filename="x.json"`}}, 200, `"x"`},
		"another media type": {0, http.Header{"Content-Type": {"application/vnd.shop+json"}}, 200, `"x"`},
		"nothing":            {0, nil, 200, `"x"`},
	} {
		for _, secure := range []string{"false", "true"} {
			t.Run(name+" with TLS "+secure, func(t *testing.T) {
				t.Parallel()
				svc := start(t, speaks(says(func(ctx context.Context) error { return chassis.SetHTTP(ctx, tc.status, tc.header) })), env{"CHASSIS_HTTP_TLS": secure})
				client := svc.HTTP()
				client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				url := map[string]string{"false": "http", "true": "https"}[secure] + "://rest/v1/say/x"
				got := do(t, client, "GET", url, "")
				if got.status != tc.want || got.body != tc.body {
					t.Errorf("got %s, want %d %s", got, tc.want, tc.body)
				}
				for field, values := range tc.header {
					if !slices.Equal(got.header.Values(field), values) {
						t.Errorf("got %s %q, want %q", field, got.header.Values(field), values)
					}
				}
				if tc.body == "" && got.header.Get("Content-Length")+got.header.Get("Content-Type") != "" {
					t.Errorf("an answer without a body has %v", got.header)
				}
				metrics := do(t, svc.HTTP(), "GET", "http://admin/metrics", "").body
				expectAll(t, metrics, fmt.Sprintf(`http_request_method="GET",http_response_status_code="%d",http_route="/v1/say/{text}"`, tc.want))
			})
		}
	}
}

// A stream has the status and the header of the handler before its first message, and refuses them
// after it.
func TestSetHTTPOfAStream(t *testing.T) {
	t.Parallel()
	late := make(chan error, 1)
	svc := start(t, speaks(&echo.Service{OnList: func(ctx context.Context, text string, send func(string) error) error {
		err := errors.Join(chassis.SetHTTP(ctx, 203, http.Header{"Cache-Control": {"no-store"}}), send(text))
		late <- chassis.SetHTTP(ctx, 200, nil)
		return err
	}}), nil)
	got := do(t, svc.HTTP(), "GET", "http://rest/v1/list/x", "")
	if got.status != 203 || got.header.Get("Cache-Control") != "no-store" || got.body != "{\"result\":\"x\"}\n" {
		t.Errorf("got %s %v", got, got.header)
	}
	if err := <-late; err == nil || !strings.Contains(err.Error(), "sent already") {
		t.Errorf("setting after the first message: %v", err)
	}
}

// Callers by gRPC get the same call without any of it.
func TestSetHTTPByGRPC(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(says(func(ctx context.Context) error {
		return chassis.SetHTTP(ctx, 204, http.Header{"Set-Cookie": {"a=1"}, "Etag": {`"1"`}})
	})), nil)
	var header, trailer metadata.MD
	got, err := echo.Say(t.Context(), svc.Conn(), "x", grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil || got != "x" || header.Get("set-cookie") != nil || header.Get("etag") != nil || trailer.Get("set-cookie") != nil {
		t.Errorf("got %q, %v, with %v and %v", got, err, header, trailer)
	}
	if err := chassis.SetHTTP(t.Context(), 201, nil); err != nil {
		t.Errorf("outside of a call: %v", err)
	}
}

// An error has its own status. What was said of the answer that it replaces must not stay: a proxy
// would keep the error.
func TestSetHTTPOfAFailure(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(says(func(ctx context.Context) error {
		return errors.Join(chassis.SetHTTP(ctx, 201, http.Header{
			"Set-Cookie": {"session=; Max-Age=0"}, "Www-Authenticate": {`Digest realm="x"`},
			"Cache-Control": {"max-age=3600"}, "Etag": {`"1"`}, "Location": {"/x"}, "Content-Type": {"text/plain"},
		}), &chassis.Error{Code: codes.Unauthenticated, Message: "who is it?"})
	})), nil)
	got := do(t, svc.HTTP(), "GET", "http://rest/v1/say/x", "")
	if got.status != 401 || got.header.Get("Set-Cookie") != "session=; Max-Age=0" || got.header.Get("Www-Authenticate") != `Digest realm="x"` {
		t.Errorf("got %s %v", got, got.header)
	}
	if got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("Cache-Control")+got.header.Get("Etag")+got.header.Get("Location") != "" {
		t.Errorf("the error has %v", got.header)
	}
}

// What cannot be sent is an error, whoever calls, and sets nothing.
func TestSetHTTPMistakes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		header http.Header
	}{
		"informational":  {103, nil},
		"an error":       {404, nil},
		"no status":      {299, nil},
		"negative":       {-1, nil},
		"framing":        {0, http.Header{"content-length": {"3"}}},
		"the connection": {0, http.Header{"Transfer-Encoding": {"chunked"}}},
		"the trace":      {0, http.Header{"Trace-Id": {"1"}}},
		"CORS":           {0, http.Header{"access-control-allow-origin": {"*"}}},
		"no name":        {0, http.Header{"": {"x"}}},
		"a name in two":  {0, http.Header{"A B": {"x"}}},
		"a line end":     {0, http.Header{"Location": {"/x\r\nSet-Cookie: a=1"}}},
		"a zero byte":    {0, http.Header{"Etag": {"\"\x00\""}}},
		"one of several": {201, http.Header{"Etag": {`"1"`}, "Set-Cookie": {"a=1", "b=\n"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := chassis.SetHTTP(t.Context(), tc.status, tc.header); err == nil {
				t.Fatal("no error outside of a call")
			}
			svc := start(t, speaks(says(func(ctx context.Context) error {
				if chassis.SetHTTP(ctx, tc.status, tc.header) == nil {
					t.Error("no error")
				}
				return nil
			})), nil)
			if got := do(t, svc.HTTP(), "GET", "http://rest/v1/say/x", ""); got.status != 200 || got.header.Get("Etag")+got.header.Get("Set-Cookie") != "" {
				t.Errorf("got %s %v", got, got.header)
			}
		})
	}
}

// Later calls replace fields and add cookies, from several goroutines.
func TestSetHTTPTwice(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(says(func(ctx context.Context) error {
		done := make(chan error)
		go func() {
			done <- chassis.SetHTTP(ctx, 202, http.Header{"Set-Cookie": {"a=1"}, "Cache-Control": {"no-store"}})
		}()
		return errors.Join(<-done, chassis.SetHTTP(ctx, 0, http.Header{"Set-Cookie": {"b=2"}, "Cache-Control": {"private"}}))
	})), nil)
	got := do(t, svc.HTTP(), "GET", "http://rest/v1/say/x", "")
	if got.status != 202 || !slices.Equal(got.header["Set-Cookie"], []string{"a=1", "b=2"}) || !slices.Equal(got.header["Cache-Control"], []string{"private"}) {
		t.Errorf("got %s %v", got, got.header)
	}
}

// RFC 9110 section 13.1.2.
func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, etag, known string
		want                int
	}{
		"the same":       {"GET", `"1"`, `"1"`, 304},
		"by HEAD":        {"HEAD", `"1"`, `"1"`, 304},
		"weak here":      {"GET", `W/"1"`, `"1"`, 304},
		"weak there":     {"GET", `"1"`, `W/"1"`, 304},
		"one of a list":  {"GET", `"1"`, `"0", W/"a,b" , "1"`, 304},
		"any":            {"GET", `"1"`, `*`, 304},
		"another":        {"GET", `"1"`, `"2"`, 200},
		"within another": {"GET", `"1"`, `"0, "1"`, 200},
		"no quotes":      {"GET", `"1"`, `1`, 200},
		"malformed":      {"GET", `"1"`, `W/`, 200},
		"nothing known":  {"GET", `"1"`, "", 200},
		"no tag":         {"GET", "", `*`, 200},
		"a write":        {"PUT", `"1"`, `"1"`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := start(t, speaks(says(func(ctx context.Context) error {
				if tc.etag == "" {
					return nil
				}
				return chassis.SetHTTP(ctx, 0, http.Header{"ETag": {tc.etag}})
			})), nil)
			got := do(t, svc.HTTP(), tc.method, "http://rest/v1/say/x", "", "If-None-Match", tc.known)
			if got.status != tc.want || got.header.Get("Etag") != tc.etag || got.status == 304 && got.body != "" {
				t.Errorf("got %s, want %d", got, tc.want)
			}
		})
	}
}
