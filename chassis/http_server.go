package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/betmakers/paddock/chassis/mtls"
)

// httpServer is a server with its port. It owns the listener.
type httpServer struct {
	*http.Server
	idle     *idleConns
	listener net.Listener
	done     chan error              // gets what Serve returned
	cut      context.CancelCauseFunc // ends the contexts of the requests
}

// openHTTP opens a port and returns its server, with limits and without a handler.
func (o *opener) openHTTP(ctx context.Context, port, setting, addr string, secure bool) (*httpServer, error) {
	listener, err := o.listen(ctx, port, setting, addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", port, err)
	}
	secure = secure && o.identity.source != nil
	if secure {
		wrapped, err := mtls.Listener(listener, o.identity.source, mtls.ListenerOptions{
			HandshakeTimeout: o.cfg.ConnectTimeout, Logger: o.log, Registerer: o.registry,
		})
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		listener = wrapped
	}
	idle := newIdleConns()
	requests, cut := context.WithCancelCause(context.Background())
	server := &http.Server{
		Protocols:         protocols(port, !secure),
		ConnState:         idle.track,
		ReadHeaderTimeout: o.cfg.ConnectTimeout,
		IdleTimeout:       o.cfg.IdleTimeout,
		MaxHeaderBytes:    o.cfg.MaxHeaderBytes,
		// WriteTimeout is not set: it counts from the request on, while the chain has a timeout
		// for each write. A timeout of an HTTP/2 stream resets the stream, which needs a
		// connection that accepts the reset.
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: min(o.cfg.MaxStreams, restStreams), WriteByteTimeout: o.cfg.WriteTimeout},
		ErrorLog:    slog.NewLogLogger(o.log.Handler(), slog.LevelDebug),
		ConnContext: aging(o.cfg.MaxConnectionAge),
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	return &httpServer{Server: server, idle: idle, listener: listener, done: make(chan error, 1), cut: cut}, nil
}

// protocols returns the protocols of a port. A REST port without TLS serves HTTP/2 too, to clients
// that begin with it ("prior knowledge", RFC 9113 section 3.3), as proxies do.
func protocols(port string, plain bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(plain && port == "http")
	return p
}

// restStreams is the number of concurrent requests on an HTTP/2 connection of any client. It is
// net/http's own limit.
const restStreams = 250

func (s *httpServer) serve() {
	go func() {
		if err := s.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.done <- err
		}
	}()
}

// finish answers the requests that have arrived and closes the server, or returns when ctx ends.
func (s *httpServer) finish(ctx context.Context) {
	s.idle.end(ctx)
	_ = s.Shutdown(ctx) // its only error is ctx's
}
