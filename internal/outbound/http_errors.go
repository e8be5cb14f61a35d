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

// The kinds of failed requests, as metrics and spans have them. The text of an error is for the caller alone: it may hold
// what the other end has sent.
const (
	kindCancelled      = "cancelled"
	kindTimeout        = "timeout"
	kindDNS            = "dns"
	kindConnect        = "connect"
	kindTLS            = "tls"
	kindConnectionLost = "connection_lost"
	kindOther          = "_OTHER"
)

// kindOf names what a request failed of, whose context is ctx. The time that a dial or a handshake may take is not that of
// the request: what fails of it is the connection.
func kindOf(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return kindCancelled
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && isTimeout(err):
		return kindTimeout
	}
	return kindOfConnection(err)
}

// kindOfConnection names what a connection failed of.
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

// isUnsent reports whether an error came before there was a connection that a request could be sent by. A TLS alert of the
// other end does not: by TLS 1.3 it may come after the request.
func isUnsent(err error) bool {
	if is[*net.DNSError](err) || isTLS(err) || isHandshakeTimeout(err) {
		return !is[tls.AlertError](err)
	}
	e, ok := errors.AsType[*net.OpError](err)
	return ok && (e.Op == "dial" || e.Op == "proxyconnect")
}

// isHandshakeTimeout knows the error of net/http's TLSHandshakeTimeout, whose type it keeps to itself.
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

// connectionLost knows the ends of a connection that has been there. net/http hides some of them in texts of its own.
func connectionLost(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	text := err.Error()
	return strings.Contains(text, "http2: client connection lost") || strings.Contains(text, "http2: server sent GOAWAY")
}

// isNotFound reports whether a name does not exist, as opposed to a name that could not be asked for.
func isNotFound(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}
