package chassistest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/harness"
)

// client is one kind of client.
type client struct {
	kind string
	port string
	call func(ctx context.Context) error
}

// clients returns each kind of client that the service has a port for. It must be called before
// the first restart.
func (x *restart) clients() []client {
	x.t.Helper()
	all := []client{
		{"gRPC by one connection", "grpc", x.oneConnection()},
		{"gRPC by App.Dial", "grpc", x.dialled()},
		{"gRPC by a new connection", "grpc", x.newConnection()},
	}
	if x.replicas[0].addr("http") == "" {
		return all
	}
	var http1, http2 http.Protocols
	http1.SetHTTP1(true)
	http2.SetHTTP2(true)
	return append(all,
		client{"REST by HTTP/1.1", "http", x.rest(&http1)},
		client{"REST by HTTP/2", "http", x.rest(&http2)},
	)
}

// connectionsEach is the number of clients with one connection, enough to have some on every
// replica.
const connectionsEach = 6

func (x *restart) oneConnection() func(context.Context) error {
	var conns [connectionsEach]*grpc.ClientConn
	connect := x.connector()
	for i := range conns {
		conn, err := connect()
		if err != nil {
			x.t.Fatalf("chassistest: %v", err)
		}
		conns[i] = conn
		x.t.Cleanup(func() { _ = conns[i].Close() })
	}
	var made atomic.Uint64
	return func(ctx context.Context) error { return x.opts.Call(ctx, conns[made.Add(1)%connectionsEach]) }
}

func (x *restart) newConnection() func(context.Context) error {
	connect := x.connector()
	return func(ctx context.Context) error {
		conn, err := connect()
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		return x.opts.Call(ctx, conn)
	}
}

// connector returns a function that makes clients whose connection goes to any replica. gRPC
// itself still retries calls that no server has seen.
func (x *restart) connector() func() (*grpc.ClientConn, error) {
	x.t.Helper()
	dial, target := x.endpoints.dialer("grpc"), "passthrough:///"+x.name
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(x.tls)), grpc.WithDisableRetry(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }),
	}
	return func() (*grpc.ClientConn, error) { return grpc.NewClient(target, opts...) }
}

// dialled runs a service that calls by App.Dial.
func (x *restart) dialled() func(context.Context) error {
	x.t.Helper()
	var conn *grpc.ClientConn
	service := chassis.Service{Name: "rolling-restart", Setup: func(ctx context.Context, app *chassis.App) (err error) {
		conn, err = app.Dial(ctx, x.name)
		return err
	}}
	svc := begin(x.t, service, Options{CA: x.opts.CA, Env: map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}}, func(h *harness.Harness) {
		h.Source = x.opts.CA.source(x.t, x.opts.Caller)
		h.Peers[x.name] = harness.Peer{
			Target:  x.endpoints.resolver.Scheme() + ":///" + x.name,
			Options: []grpc.DialOption{grpc.WithResolvers(x.endpoints.resolver), grpc.WithDisableRetry()},
		}
	})
	svc.WaitFor(chassis.Ready)
	return func(ctx context.Context) error { return x.opts.Call(ctx, conn) }
}

// rest returns calls of one net/http client, which manages its connections itself.
func (x *restart) rest(protocols *http.Protocols) func(context.Context) error {
	x.t.Helper()
	dial := x.endpoints.dialer("http")
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		TLSClientConfig: x.tls.Clone(), Protocols: protocols,
	}
	x.t.Cleanup(transport.CloseIdleConnections)
	browser := &http.Client{Transport: transport}
	return func(ctx context.Context) error { return x.request(ctx, browser, protocols.HTTP1()) }
}

// request makes one request, with the scheme of the port. With once, it fails if the request was
// sent twice: net/http repeats requests that it considers safe when a connection ends, and other
// clients may not.
func (x *restart) request(ctx context.Context, browser *http.Client, once bool) error {
	var sent atomic.Int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) {
		if info.Err == nil {
			sent.Add(1)
		}
	}})
	req, refusal, err := x.newRequest(ctx)
	if err != nil {
		return err
	}
	req.URL.Scheme = "http"
	if x.opts.Env["CHASSIS_HTTP_TLS"] == "true" {
		req.URL.Scheme = "https"
	}
	resp, err := browser.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= refusal {
		err = fmt.Errorf("status %d: %.200s", resp.StatusCode, body)
	}
	if n := sent.Load(); once && n > 1 {
		err = errors.Join(err, fmt.Errorf("sent %d times, as its connection was closed under it", n))
	}
	return err
}

// newRequest returns the next request, and the least status that counts as a failure.
func (x *restart) newRequest(ctx context.Context) (req *http.Request, refusal int, err error) {
	if x.opts.Request == nil {
		req, err = http.NewRequestWithContext(ctx, http.MethodGet, "https://rest/", http.NoBody)
		return req, http.StatusInternalServerError, err
	}
	req, err = x.opts.Request(ctx)
	return req, http.StatusBadRequest, err
}
