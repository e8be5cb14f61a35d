package chassis_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// named is a middleware that notes when it runs, and hands on a copy of the request, as many do.
func named(name string, note func(string)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			note(name)
			r = r.Clone(context.WithValue(r.Context(), noteKey{}, name))
			r.Header.Set("Authorization", "Bearer of-"+name)
			next.ServeHTTP(w, r)
			note("after " + name)
		})
	}
}

type noteKey struct{}

// tokens accepts the tokens of the middleware.
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (string, error) { return token, nil }

// The place of middleware in the order of a call: inside of what is counted and logged, outside of
// the identity. It sees requests of the gateway, of Handle and of nothing, and what it changes of
// the request counts.
func TestHTTPMiddleware(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var noted []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		noted = append(noted, what)
	}
	service := speaks(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		caller := chassis.CallerOf(ctx)
		name, _ := ctx.Value(noteKey{}).(string)
		return text + " of " + caller.Subject + " by " + name, nil
	}}, func(app *chassis.App) { app.Handle("GET /closed/{id}", answering("in"), "user:of-inner") })
	service.Tokens = tokens{}
	service.HTTPMiddleware = []func(http.Handler) http.Handler{named("outer", note), named("inner", note)}
	svc := start(t, service, nil)
	for path, want := range map[string]string{"/v1/say/x": `200 "x of of-inner by inner"`, "/closed/7": "200 in", "/nothing": "404"} {
		if got := do(t, svc.HTTP(), "GET", "http://rest"+path, ""); !strings.HasPrefix(got.String(), want) {
			t.Errorf("%s: got %s", path, got)
		}
	}
	if got, want := strings.Join(noted, ", "), strings.TrimSuffix(strings.Repeat("outer, inner, after inner, after outer, ", 3), ", "); got != want {
		t.Errorf("ran %s, want %s", got, want)
	}
	metrics := do(t, svc.HTTP(), "GET", "http://admin/metrics", "").body
	expectAll(t, metrics, `http_response_status_code="200",http_route="/v1/say/{text}"`, `http_response_status_code="200",http_route="/closed/{id}"`)
	if _, err := echo.Say(t.Context(), svc.Conn(), "x"); err != nil || len(noted) != 12 {
		t.Errorf("a call by gRPC: %v, noted %q", err, noted)
	}
}

// What a middleware answers, and its panic, is an answer like others.
func TestHTTPMiddlewareThatAnswers(t *testing.T) {
	t.Parallel()
	service := speaks(&echo.Service{})
	service.HTTPMiddleware = []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v1/say/teapot":
				w.WriteHeader(http.StatusTeapot)
			case "/v1/say/panic":
				panic("of the middleware")
			default:
				next.ServeHTTP(w, r)
			}
		})
	}}
	svc := start(t, service, env{"CHASSIS_HTTP_CORS_ORIGINS": "https://app.example.com"})
	for path, want := range map[string]int{"/v1/say/teapot": 418, "/v1/say/panic": 500, "/v1/say/x": 200} {
		got := do(t, svc.HTTP(), "GET", "http://rest"+path, "", "Origin", "https://app.example.com")
		if got.status != want || got.header.Get("Access-Control-Allow-Origin") == "" || strings.Contains(got.body, "of the middleware") {
			t.Errorf("%s: got %s %v", path, got, got.header)
		}
	}
}

// recorder is the writer of a middleware that has http.ResponseWriter alone, as many have.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// A middleware sees the status that the client gets, and streams pass through what it wraps.
func TestHTTPMiddlewareSeesTheAnswer(t *testing.T) {
	t.Parallel()
	seen := make(chan *recorder, 1)
	service := speaks(says(func(ctx context.Context) error { return chassis.SetHTTP(ctx, 202, nil) }))
	service.HTTPMiddleware = []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := &recorder{ResponseWriter: w}
			next.ServeHTTP(rec, r)
			seen <- rec
		})
	}}
	svc := start(t, service, nil)
	for _, path := range []string{"/v1/say/x", "/v1/list/x"} {
		got := do(t, svc.HTTP(), "GET", "http://rest"+path, "")
		if rec := <-seen; got.status != 202 || rec.status != 202 || rec.body.String() != got.body {
			t.Errorf("%s: the client got %s, the middleware saw %d %s", path, got, rec.status, rec.body.String())
		}
	}
}

func TestHTTPMistakesOfAService(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*chassis.Service){
		"Service.HTTPMiddleware[0] is nil": func(s *chassis.Service) { s.HTTPMiddleware = make([]func(http.Handler) http.Handler, 1) },
		"Service.HTTPMiddleware: a middleware returned no": func(s *chassis.Service) {
			s.HTTPMiddleware = []func(http.Handler) http.Handler{func(http.Handler) http.Handler { return nil }}
		},
		"Service.GatewayOptions[1] is nil": func(s *chassis.Service) {
			s.GatewayOptions = []gateway.ServeMuxOption{gateway.WithWriteContentLength(), nil}
		},
		`"X Y" is not the name of a header field`:     func(s *chassis.Service) { s.HTTPHeaders = []string{"X Y"} },
		"the header Connection is not for handlers":   func(s *chassis.Service) { s.HTTPHeaders = []string{"Connection"} },
		"the header grpc-timeout is not for handlers": func(s *chassis.Service) { s.HTTPHeaders = []string{"grpc-timeout"} },
		"the header Authorization is handed on":       func(s *chassis.Service) { s.HTTPHeaders = []string{"authorization"} },
	} {
		service := speaks(&echo.Service{})
		change(&service)
		expectAll(t, startError(t, service, nil), want)
	}
}

// incoming returns the metadata that a handler has of a request with two headers of its own and
// cookies.
func incoming(t *testing.T, change func(*chassis.Service)) metadata.MD {
	t.Helper()
	got := make(chan metadata.MD, 1)
	service := speaks(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		got <- md
		return text, nil
	}})
	change(&service)
	svc := start(t, service, nil)
	answer := do(t, svc.HTTP(), "GET", "http://rest/v1/say/x", "", "Idempotency-Key", "7", "X-Other", "secret", "Cookie", "a=1; b=2", "Authorization", "Bearer t", "Accept", "application/json")
	if answer.status != 200 {
		t.Fatal(answer)
	}
	return <-got
}

// Handlers get the headers that are listed, and those of grpc-gateway under its names.
func TestHeadersOfARequest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*chassis.Service)
		listed string
	}{
		"by default": {func(*chassis.Service) {}, ""},
		"listed":     {func(s *chassis.Service) { s.HTTPHeaders = []string{"idempotency-key"} }, "7"},
		"with options": {func(s *chassis.Service) {
			s.HTTPHeaders = []string{"Idempotency-Key"}
			s.GatewayOptions = someOptions()
		}, "7"},
	} {
		md := incoming(t, tc.change)
		if got := strings.Join(md.Get("idempotency-key"), ","); got != tc.listed {
			t.Errorf("%s: idempotency-key is %q, want %q", name, got, tc.listed)
		}
		if md.Get("x-other") != nil || md.Get("grpcgateway-x-other") != nil || md.Get("grpcgateway-accept") != nil {
			t.Errorf("%s: got %v", name, md)
		}
		if cookies := md.Get("grpcgateway-cookie"); len(cookies) != 1 || cookies[0] != "a=1; b=2" || len(md.Get("authorization")) != 1 {
			t.Errorf("%s: got %v", name, md)
		}
	}
}

func someOptions() []gateway.ServeMuxOption {
	return []gateway.ServeMuxOption{gateway.WithMetadata(func(context.Context, *http.Request) metadata.MD { return nil })}
}

// upper is a marshaler of a service's own.
type upper struct{ gateway.JSONPb }

func (*upper) ContentType(any) string { return "application/upper" }
func (u *upper) Marshal(v any) ([]byte, error) {
	text, err := u.JSONPb.Marshal(v)
	return bytes.ToUpper(text), err
}

// What users of grpc-gateway pass to its mux has its meaning here.
func TestGatewayOptions(t *testing.T) {
	t.Parallel()
	got := make(chan metadata.MD, 1)
	service := speaks(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		got <- md
		return text, nil
	}})
	service.GatewayOptions = []gateway.ServeMuxOption{
		gateway.WithMarshalerOption("application/upper", &upper{gateway.JSONPb{MarshalOptions: protojson.MarshalOptions{}}}),
		gateway.WithIncomingHeaderMatcher(func(name string) (string, bool) { return strings.ToLower(name), name == "X-Other" }),
		gateway.WithMetadata(func(ctx context.Context, r *http.Request) metadata.MD {
			method, _ := gateway.RPCMethod(ctx)
			return metadata.Pairs("path", r.URL.Path, "method", method)
		}),
		gateway.WithForwardResponseOption(func(_ context.Context, w http.ResponseWriter, _ proto.Message) error {
			w.Header().Set("X-Forwarded", "yes")
			return nil
		}),
		gateway.WithMiddlewares(func(next gateway.HandlerFunc) gateway.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
				w.Header().Set("X-Middleware", params["text"])
				next(w, r, params)
			}
		}),
	}
	svc := start(t, service, nil)
	answer := do(t, svc.HTTP(), "GET", "http://rest/v1/say/x", "", "X-Other", "other", "Accept", "application/upper")
	if answer.body != `"X"` || answer.header.Get("Content-Type") != "application/upper" || answer.header.Get("X-Forwarded") != "yes" || answer.header.Get("X-Middleware") != "x" {
		t.Errorf("got %s %v", answer, answer.header)
	}
	md := <-got
	for key, want := range map[string]string{"x-other": "other", "path": "/v1/say/x", "method": echo.SayMethod} {
		if values := md.Get(key); len(values) != 1 || values[0] != want {
			t.Errorf("%s is %q, want %q", key, values, want)
		}
	}
	if plain := do(t, svc.HTTP(), "GET", "http://rest/v1/say/y", ""); plain.body != `"y"` {
		t.Errorf("without Accept got %s", plain)
	}
}

// A body that waits for 100 Continue is asked for where it is wanted, and not where the request is
// refused.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(&echo.Service{}, func(app *chassis.App) { app.Handle("POST /closed", answering("in"), "web") }), nil)
	for path, want := range map[string]string{"/v1/say": "HTTP/1.1 100 Continue", "/closed": "HTTP/1.1 401 Unauthorized", "/nothing": "HTTP/1.1 404 Not Found"} {
		conn, err := transportOf(svc.HTTP()).DialContext(t.Context(), "tcp", "rest:80")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
		first := make([]byte, len(want))
		if _, err := io.ReadFull(conn, first); err != nil || string(first) != want {
			t.Errorf("%s: got %q, %v", path, first, err)
		}
		if strings.Contains(want, "100") {
			_, _ = io.WriteString(conn, `"x"`)
		}
		rest, _ := io.ReadAll(conn)
		if path == "/v1/say" && !strings.HasSuffix(string(rest), `"x"`) {
			t.Errorf("got %q", rest)
		}
		_ = conn.Close()
	}
}

// Trailers of a handler arrive for who accepts them (RFC 9110 section 6.5.1), beside what SetHTTP
// sets.
func TestTrailersByREST(t *testing.T) {
	t.Parallel()
	svc := start(t, speaks(says(func(ctx context.Context) error {
		if err := grpc.SetTrailer(ctx, metadata.Pairs("total", "3")); err != nil {
			return err
		}
		return chassis.SetHTTP(ctx, 201, nil)
	})), nil)
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://rest/v1/say/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("TE", "trailers")
	resp, err := svc.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it is read
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 201 || string(body) != `"x"` || resp.Trailer.Get("Grpc-Trailer-Total") != "3" {
		t.Errorf("got %d %s, %v, with the trailer %v", resp.StatusCode, body, err, resp.Trailer)
	}
}
