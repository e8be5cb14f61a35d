package mtls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ListenerOptions configure [Listener]. The zero value requests a client certificate without
// requiring it, and offers HTTP/2 and HTTP/1.1.
type ListenerOptions struct {
	// CertificateRequired refuses clients without a certificate.
	CertificateRequired bool
	// HandshakeTimeout bounds a handshake. Zero or less means 10 s.
	HandshakeTimeout time.Duration
	// Logger logs refused handshakes, Registerer registers their metric. Both may be nil.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Listener returns a listener for an HTTPS server, on top of inner. Its Accept returns a
// [*tls.Conn] after the handshake, as [net/http.Server.Serve] requires. Handshakes run
// concurrently, so a slow client does not delay others. Close closes inner, ends running
// handshakes and waits for them. Listener fails only if the metric cannot be registered; inner is
// then still open.
//
// A connection is closed 10 s after its client's certificate became invalid. The server has to
// refuse requests until then, and should close connections gracefully before; see
// [AuthInfo.Valid] and [AuthInfo.Leaving].
func Listener(inner net.Listener, src Source, opts ListenerOptions) (net.Listener, error) {
	refused, err := newRefusals(opts.Logger, opts.Registerer)
	if err != nil {
		return nil, err
	}
	if opts.HandshakeTimeout <= 0 {
		opts.HandshakeTimeout = 10 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{
		Listener: inner, src: src, refused: refused, timeout: opts.HandshakeTimeout, done: ctx.Done(), cancel: cancel,
		config: ServerTLS(src, ServerOptions{CertificateOptional: !opts.CertificateRequired, NextProtos: []string{"h2", "http/1.1"}}),
		ready:  make(chan net.Conn), failed: make(chan error),
	}
	l.running.Go(func() { l.accept(ctx) })
	return l, nil
}

type listener struct {
	net.Listener
	src     Source
	config  *tls.Config
	refused *refusals
	timeout time.Duration

	ready   chan net.Conn
	failed  chan error // errors of inner's Accept, temporary ones included
	done    <-chan struct{}
	cancel  context.CancelFunc
	running sync.WaitGroup

	connections connections
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.done:
		return nil, fmt.Errorf("mtls: listener: %w", net.ErrClosed)
	}
}

func (l *listener) Close() error {
	l.cancel()
	err := l.Listener.Close()
	l.running.Wait()
	return err
}

// accept passes errors to Accept and waits until they are received: the server pauses after a
// temporary error.
func (l *listener) accept(ctx context.Context) {
	for ctx.Err() == nil {
		raw, err := l.Listener.Accept()
		if err == nil {
			l.running.Go(func() { l.handshake(ctx, raw) })
			continue
		}
		select {
		case l.failed <- err:
		case <-l.done:
		}
	}
}

func (l *listener) handshake(ctx context.Context, raw net.Conn) {
	timed, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	own, _ := l.src.Identity() // before the handshake asks: a later one is looked at again
	w := &watched{Conn: raw, raw: raw, all: &l.connections}
	conn := tls.Server(w, l.config)
	if err := conn.HandshakeContext(timed); err != nil {
		if ctx.Err() == nil {
			answerPlainHTTP(raw, err)
			l.refused.observe(raw.RemoteAddr(), err)
		}
		_ = raw.Close()
		return
	}
	w.proof = newProof(l.src, own, conn.ConnectionState(), time.Now())
	l.connections.watch(w)
	select {
	case l.ready <- conn:
	case <-l.done:
		_ = w.Close()
	}
}

// answerPlainHTTP answers a client that sent HTTP to an HTTPS port, like net/http.
func answerPlainHTTP(raw net.Conn, err error) {
	var plain tls.RecordHeaderError
	if !errors.As(err, &plain) || plain.Conn == nil {
		return
	}
	switch string(plain.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		_ = raw.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(raw, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
}
