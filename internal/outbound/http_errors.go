package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
)

// The kinds of failed requests in metrics and spans. The text of an error is only for the caller,
// because it may have data of the other end.
const (
	kindCancelled      = "cancelled"
	kindTimeout        = "timeout"
	kindDNS            = "dns"
	kindConnect        = "connect"
	kindTLS            = "tls"
	kindConnectionLost = "connection_lost"
	kindOther          = "_OTHER"
)

// kindOf returns the kind of a failed request, whose context is ctx. The timeouts of a dial and a
// handshake are not the request's: they are failures of the connection.
func kindOf(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return kindCancelled
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && isTimeout(err):
		return kindTimeout
	}
	return kindOfConnection(err)
}

// kindOfConnection returns the kind of a failed connection.
func kindOfConnection(err error) string {
	if is[*net.DNSError](err) {
		return kindDNS
	}
	if isTLS(err) || isHandshakeTimeout(err) {
		return kindTLS
	}
	var operation string
	if e, ok := errors.AsType[*net.OpError](err); ok {
		operation = e.Op
	}
	switch {
	case operation == "dial", operation == "proxyconnect":
		return kindConnect
	case operation == "local error", operation == "remote error": // the alerts of crypto/tls, whose type it keeps to itself
		return kindTLS
	case isTimeout(err):
		return kindTimeout
	case operation != "", connectionLost(err):
		return kindConnectionLost
	default:
		return kindOther
	}
}

// isOfConnection reports whether a connection failed, or took too long to bring an answer.
func isOfConnection(err error) bool {
	return !errors.Is(err, context.Canceled) && kindOfConnection(err) != kindOther
}

// isUnsent reports whether an error occurred before there was a connection that could send the
// request. A TLS alert of the other end does not prove that: by TLS 1.3 it may come after the
// request.
func isUnsent(err error) bool {
	if is[*net.DNSError](err) || isTLS(err) || isHandshakeTimeout(err) {
		return !is[tls.AlertError](err)
	}
	e, ok := errors.AsType[*net.OpError](err)
	return ok && (e.Op == "dial" || e.Op == "proxyconnect")
}

// isHandshakeTimeout recognizes the error of net/http's TLSHandshakeTimeout, whose type is not
// exported.
func isHandshakeTimeout(err error) bool {
	return isTimeout(err) && strings.Contains(err.Error(), "TLS handshake timeout")
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTLS(err error) bool {
	return is[*tls.CertificateVerificationError](err) || is[tls.RecordHeaderError](err) || is[tls.AlertError](err) ||
		is[x509.HostnameError](err) || is[x509.UnknownAuthorityError](err) || is[x509.CertificateInvalidError](err)
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// connectionLost recognizes errors of a connection that was established. net/http hides some of
// them in its own texts.
func connectionLost(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	text := err.Error()
	return strings.Contains(text, "http2: client connection lost") || strings.Contains(text, "http2: server sent GOAWAY")
}

// isNotFound reports whether a name does not exist, as opposed to a failed lookup.
func isNotFound(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}
