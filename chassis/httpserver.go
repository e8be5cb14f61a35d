package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/openapi"
	"github.com/betmakers/paddock/middleware"
)

// newHTTPServer returns the REST server with its port open, nil if the service has no HTTP.
func (i *instance) newHTTPServer(ctx context.Context) (*httpServer, error) {
	routes, err := i.app.handler()
	if err != nil || routes == nil {
		return nil, err
	}
	routes, err = i.withDocs(routes)
	if err != nil {
		return nil, err
	}
	handler := i.chain.HTTP(routes, middleware.HTTPLimits{
		MaxBody: int64(i.cfg.MaxMessageBytes), BodyTimeout: i.cfg.BodyTimeout, WriteTimeout: i.cfg.WriteTimeout,
	})
	server, err := i.openHTTP(ctx, "http", "CHASSIS_HTTP_ADDR", i.cfg.HTTPAddr, i.cfg.HTTPTLS)
	if err != nil {
		return nil, err
	}
	server.Handler = endAged(handler)
	return server, nil
}

// openHTTP opens a port and returns a server for it, with limits and without a handler.
func (i *instance) openHTTP(ctx context.Context, port, setting, addr string, secure bool) (*httpServer, error) {
	listener, err := i.listen(ctx, port, addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", port, setting, err)
	}
	if secure && i.identity.source != nil {
		wrapped, err := mtls.Listener(listener, i.identity.source, mtls.ListenerOptions{
			HandshakeTimeout: i.cfg.ConnectTimeout, Logger: i.log, Registerer: i.telemetry.Registry(),
		})
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		listener = wrapped
	}
	idle := newIdleConns()
	requests, cut := context.WithCancelCause(context.Background())
	server := &http.Server{
		ConnState:         idle.track,
		ReadHeaderTimeout: i.cfg.ConnectTimeout,
		IdleTimeout:       i.cfg.IdleTimeout,
		MaxHeaderBytes:    i.cfg.MaxHeaderBytes,
		// No WriteTimeout, which counts from the request on: the chain has one for each write. That of a stream of
		// HTTP/2 resets the stream, which needs a connection that takes the reset.
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: min(i.cfg.MaxStreams, restStreams), WriteByteTimeout: i.cfg.WriteTimeout},
		ErrorLog:    slog.NewLogLogger(i.log.Handler(), slog.LevelDebug),
		ConnContext: aging(i.cfg.MaxConnectionAge),
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	return &httpServer{Server: server, idle: idle, listener: listener, done: make(chan error, 1), cut: cut}, nil
}

// restStreams is how many requests one connection by HTTP/2 has at once: net/http's own limit. The callers may be
// anybody.
const restStreams = 250

func (s *httpServer) serve() {
	go func() {
		if err := s.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.done <- err
		}
	}()
}

// finish answers what has come and ends the server, or gives up when ctx ends.
func (s *httpServer) finish(ctx context.Context) {
	s.idle.end(ctx)
	_ = s.Shutdown(ctx) // its only error is ctx's
}

// withDocs puts the API's description and the page to try it before the API.
func (i *instance) withDocs(api http.Handler) (http.Handler, error) {
	if !i.cfg.HTTPDocs || i.app.gateway == nil {
		return api, nil
	}
	document, err := openapi.Document(openapi.Info{
		Title: i.service.Name, Version: readBuild(i.service.Version).version, Terms: i.terms, Bearer: i.service.Tokens != nil,
	}, i.descriptors())
	if err != nil {
		return nil, err
	}
	docs := openapi.Handler(document)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/openapi.json":
			middleware.SetRoute(r.Context(), path)
		case path == "/docs" || strings.HasPrefix(path, "/docs/"):
			middleware.SetRoute(r.Context(), "/docs/")
		default:
			api.ServeHTTP(w, r)
			return
		}
		docs.ServeHTTP(w, r)
	}), nil
}

// terms tells the description of the API what the contract says of a method.
func (i *instance) terms(fullMethod string) (openapi.Terms, bool) {
	for _, m := range i.chain.Methods() {
		if m.FullMethod == fullMethod {
			terms := termsOf(m)
			terms.Deadline = m.TimeoutByREST(i.cfg.HTTPTimeout)
			return terms, true
		}
	}
	return openapi.Terms{}, false
}

func termsOf(m *middleware.Method) openapi.Terms {
	o := m.Objectives
	return openapi.Terms{
		Deadline: m.Timeout, Public: m.Public, Callers: m.Describe(),
		Availability: o.Availability, Latency: o.Latency, Within: o.Within,
	}
}
