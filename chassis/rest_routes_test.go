package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// byGet serves Say by GET /v1/say/{text} and by PURGE, as generated code does.
func byGet(_ context.Context, mux *gateway.ServeMux, conn *grpc.ClientConn) error {
	handler := func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		_, out := gateway.MarshalerForRequest(mux, r)
		ctx, err := gateway.AnnotateContext(r.Context(), mux, r, echo.SayMethod, gateway.WithHTTPPathPattern("/v1/say/{text}"))
		if err != nil {
			gateway.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		var md gateway.ServerMetadata
		answer := new(echo.Text)
		err = conn.Invoke(ctx, echo.SayMethod, wrapperspb.String(params["text"]), answer, grpc.Header(&md.HeaderMD), grpc.Trailer(&md.TrailerMD))
		ctx = gateway.NewServerMetadataContext(ctx, md)
		if err != nil {
			gateway.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		gateway.ForwardResponseMessage(ctx, mux, out, w, r, answer, mux.GetForwardResponseOptions()...)
	}
	return errors.Join(mux.HandlePath("GET", "/v1/say/{text}", handler), mux.HandlePath("PUT", "/v1/say/{text}", handler))
}

// speaks is a service with the echo's routes, those of byGet and further registrations.
func speaks(impl *echo.Service, more ...func(*chassis.App)) chassis.Service {
	service := echoes(impl, more...)
	setup := service.Setup
	service.Setup = func(ctx context.Context, app *chassis.App) error {
		app.Gateway(ctx, byGet)
		return setup(ctx, app)
	}
	return service
}

func answering(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// RFC 9110 sections 9.3.2, 9.3.7 and 15.5.6, over the routes of the gateway and the patterns of
// Handle together.
func TestMethodsOfAPath(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(&echo.Service{}, func(app *chassis.App) {
		app.HandlePublic("GET /report", answering("report"))
		app.HandlePublic("DELETE /v1/say/{text}", answering("deleted"))
	}), nil)
	for name, tc := range map[string]struct {
		method, path string
		status       int
		allow        string
	}{
		"a wrong method of the gateway":            {"PATCH", "/v1/say/x", 405, "GET, HEAD, PUT, DELETE, OPTIONS"},
		"a wrong method of one route":              {"GET", "/v1/say", 405, "POST, OPTIONS"},
		"HEAD where there is no GET":               {"HEAD", "/v1/say", 405, "POST, OPTIONS"},
		"a wrong method of Handle":                 {"POST", "/report", 405, "GET, HEAD, OPTIONS"},
		"an invented method":                       {"FOO", "/v1/list/x", 405, "GET, HEAD, OPTIONS"},
		"OPTIONS of the gateway":                   {"OPTIONS", "/v1/say", 204, "POST, OPTIONS"},
		"OPTIONS of Handle":                        {"OPTIONS", "/report", 204, "GET, HEAD, OPTIONS"},
		"OPTIONS of both":                          {"OPTIONS", "/v1/say/x", 204, "GET, HEAD, PUT, DELETE, OPTIONS"},
		"OPTIONS of nothing":                       {"OPTIONS", "/v2", 404, ""},
		"nothing":                                  {"PUT", "/v2", 404, ""},
		"HEAD of nothing":                          {"HEAD", "/v2", 404, ""},
		"HEAD of a GET route":                      {"HEAD", "/v1/say/x", 200, ""},
		"HEAD of a stream":                         {"HEAD", "/v1/list/x", 200, ""},
		"HEAD of Handle":                           {"HEAD", "/report", 200, ""},
		"a method that Handle has and not the mux": {"DELETE", "/v1/say/x", 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := do(t, svc.HTTP(), tc.method, "http://rest"+tc.path, "")
			if got.status != tc.status || got.header.Get("Allow") != tc.allow {
				t.Errorf("got %d that allows %q, want %d and %q", got.status, got.header.Get("Allow"), tc.status, tc.allow)
			}
			if tc.status >= 400 && tc.method != "HEAD" && got.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %s %q", got.header.Get("Content-Type"), got.body)
			}
		})
	}
}

// A service without a gateway has the same answers.
func TestMethodsOfPlainHandlers(t *testing.T) {
	t.Parallel()
	plain := start(t, setsUp(func(app *chassis.App) { app.HandlePublic("GET /report", answering("report")) }), nil)
	page := start(t, setsUp(func(app *chassis.App) {
		app.HandlePublic("GET /report/", answering("report"))
		app.HandlePublic("GET /", answering("index"))
	}), nil)
	root := start(t, setsUp(func(app *chassis.App) { app.HandlePublic("/", answering("all")) }), nil)
	for name, tc := range map[string]struct {
		svc          *chassistest.Running
		method, path string
		want, allow  string
	}{
		"a route":                     {plain, "GET", "/report", "200 report", ""},
		"HEAD":                        {plain, "HEAD", "/report", "200 ", ""},
		"OPTIONS":                     {plain, "OPTIONS", "/report", "204 ", "GET, HEAD, OPTIONS"},
		"a wrong method":              {plain, "PUT", "/report", "405 {", "GET, HEAD, OPTIONS"},
		"nothing":                     {plain, "GET", "/other", "404 {", ""},
		"the page":                    {page, "GET", "/other", "200 index", ""},
		"beside the page":             {page, "GET", "/report/7", "200 report", ""},
		"a redirect":                  {page, "GET", "/report", "200 report", ""},
		"OPTIONS of the page":         {page, "OPTIONS", "/other", "204 ", "GET, HEAD, OPTIONS"},
		"a wrong method of the page":  {page, "PUT", "/other", "405 {", "GET, HEAD, OPTIONS"},
		"a wrong method of its route": {page, "PUT", "/report/7", "405 {", "GET, HEAD, OPTIONS"},
		"everything":                  {root, "PUT", "/other", "200 all", ""},
		"OPTIONS of everything":       {root, "OPTIONS", "/other", "200 all", ""},
	} {
		got := do(t, tc.svc.HTTP(), tc.method, "http://rest"+tc.path, "")
		if !strings.HasPrefix(got.String(), tc.want) || got.header.Get("Allow") != tc.allow {
			t.Errorf("%s: got %s that allows %q, want %s and %q", name, got, got.header.Get("Allow"), tc.want, tc.allow)
		}
	}
}

// The writer of a route that was added to the gateway by hand is that of net/http, so that a
// WebSocket library works there.
func TestWritersOfGatewayRoutes(t *testing.T) {
	t.Parallel()
	abilities := make(chan string, 1)
	service := echoes(&echo.Service{})
	setup := service.Setup
	service.Setup = func(ctx context.Context, app *chassis.App) error {
		app.Gateway(ctx, func(_ context.Context, mux *gateway.ServeMux, _ *grpc.ClientConn) error {
			return mux.HandlePath("GET", "/ws", func(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
				_, flushes := w.(http.Flusher)
				_, hijacks := w.(http.Hijacker)
				_, reads := w.(io.ReaderFrom)
				_, pushes := w.(http.Pusher)
				abilities <- fmt.Sprint(flushes, hijacks, reads, pushes)
				if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ntaken")
					_ = conn.Close()
				}
			})
		})
		return setup(ctx, app)
	}
	for scheme, want := range map[string]string{"http": "true true true false", "https": "true false false true"} {
		svc := start(t, service, env{"CHASSIS_HTTP_TLS": schemes[scheme]})
		got := do(t, svc.HTTP(), "GET", scheme+"://rest/ws", "")
		if can := <-abilities; can != want || scheme == "http" && got.body != "taken" {
			t.Errorf("%s: got %s and %s, want %s", scheme, got, can, want)
		}
	}
}

// HEAD has the header of GET, runs the same call, and ends a stream that has no end.
func TestHeadIsLikeGet(t *testing.T) {
	t.Parallel()
	for scheme := range schemes {
		t.Run(scheme, func(t *testing.T) { headIsLikeGet(t, scheme) })
	}
}

func headIsLikeGet(t *testing.T, scheme string) {
	t.Parallel()
	ended := make(chan struct{})
	svc := start(t, speaks(&echo.Service{OnList: func(ctx context.Context, text string, send func(string) error) error {
		defer close(ended)
		for ctx.Err() == nil {
			if err := send(text); err != nil {
				return err
			}
		}
		return ctx.Err()
	}}), env{"CHASSIS_HTTP_TLS": schemes[scheme]})
	get, head := do(t, svc.HTTP(), "GET", scheme+"://rest/v1/say/x", ""), do(t, svc.HTTP(), "HEAD", scheme+"://rest/v1/say/x", "")
	for _, name := range []string{"Content-Type", "Content-Length"} {
		if head.header.Get(name) == "" || head.header.Get(name) != get.header.Get(name) {
			t.Errorf("%s of HEAD is %q, of GET %q", name, head.header.Get(name), get.header.Get(name))
		}
	}
	if head.body != "" || head.status != get.status {
		t.Errorf("HEAD got %s", head)
	}
	if got := do(t, svc.HTTP(), "HEAD", scheme+"://rest/v1/list/x", ""); got.status != 200 || got.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("HEAD of a stream got %s %v", got, got.header)
	}
	await(t, ended, "the end of the stream")
	metrics := do(t, svc.HTTP(), "GET", "http://admin/metrics", "").body
	expectAll(t, metrics, `http_request_method="HEAD",http_response_status_code="200",http_route="/v1/say/{text}"`)
}

// What is not taken of a body is told (RFC 9110 section 15.5.16).
func TestUnsupportedBodies(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(&echo.Service{}), nil)
	for header, want := range map[[2]string][2]string{
		{"Content-Encoding", "gzip"}:   {"Accept-Encoding", "identity"},
		{"Content-Type", "text/plain"}: {"Accept", "application/json"},
	} {
		got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"x"`, header[0], header[1])
		if got.status != 415 || got.header.Get(want[0]) != want[1] {
			t.Errorf("%s: got %s, %s %q", header, got, want[0], got.header.Get(want[0]))
		}
	}
}

// A single-page app at the root yields to the API, whatever the two know of each other.
func TestFallback(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/", "GET /"} {
		svc := start(t, speaks(&echo.Service{}, func(app *chassis.App) {
			app.HandlePublic(pattern, answering("index"))
			app.HandlePublic("GET /report", answering("report"))
		}), nil)
		for call, want := range map[string]string{
			"GET /v1/say/x":  `200 "x"`,
			"GET /v1/list/x": "200 {\"result\":\"x\"}\n{\"result\":\"x\"}\n{\"result\":\"x\"}\n",
			"POST /v1/say":   `200 "y"`,
			"GET /report":    "200 report",
			"GET /bets/7":    "200 index",
			"GET /":          "200 index",
			"HEAD /bets/7":   "200 ",
		} {
			method, path, _ := strings.Cut(call, " ")
			if got := do(t, svc.HTTP(), method, "http://rest"+path, `"y"`); got.String() != want {
				t.Errorf("%s: %s got %s, want %s", pattern, call, got, want)
			}
		}
		if got := do(t, svc.HTTP(), "GET", "http://rest/v1/say", ""); got.status != 405 {
			t.Errorf("%s: a wrong method of the API got %s", pattern, got)
		}
		want := map[string]int{"/": 200, "GET /": 405}[pattern]
		if got := do(t, svc.HTTP(), "POST", "http://rest/bets/7", ""); got.status != want {
			t.Errorf("%s: POST got %s, want %d", pattern, got, want)
		}
	}
}

// Authorization goes for the fallback too.
func TestFallbackIsAuthorized(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(&echo.Service{}, func(app *chassis.App) { app.Handle("GET /", answering("index"), "web") }), nil)
	if got := do(t, svc.HTTP(), "GET", "http://rest/bets/7", ""); got.status != http.StatusUnauthorized {
		t.Errorf("got %s", got)
	}
}
