package middleware

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
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

// kindOf names what a request failed of.
func kindOf(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return kindCancelled
	case errors.Is(err, context.DeadlineExceeded):
		return kindTimeout
	case is[*net.DNSError](err):
		return kindDNS
	case isTLS(err):
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
	return ok && timeout.Timeout()
}

// connectionLost knows the ends of a connection that has been there. net/http hides some of them in texts of its own.
func connectionLost(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// isNotFound reports whether a name does not exist, as opposed to a name that could not be asked for.
func isNotFound(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}
