package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// ServerOptions configure [ServerTLS]. The zero value requires a client certificate and offers no
// ALPN protocol.
type ServerOptions struct {
	// CertificateOptional accepts clients without a certificate. A certificate that a client
	// presents is always verified.
	CertificateOptional bool
	// NextProtos are the ALPN protocols to offer, the preferred protocol first.
	NextProtos []string
}

// ServerTLS returns a configuration for TLS 1.3 servers. It gets certificate and roots from src
// at every handshake. Sessions are never resumed, so an authority that is removed from src is
// rejected at the next connection.
func ServerTLS(src Source, opts ServerOptions) *tls.Config {
	base := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             opts.NextProtos,
		SessionTicketsDisabled: true,
	}
	clientAuth := tls.RequireAndVerifyClientCert
	if opts.CertificateOptional {
		clientAuth = tls.VerifyClientCertIfGiven
	}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		own, err := src.Identity()
		if err != nil {
			return nil, fmt.Errorf("mtls: no identity to serve with: %w", err)
		}
		return &tls.Config{
			MinVersion:             base.MinVersion,
			NextProtos:             base.NextProtos,
			SessionTicketsDisabled: true,
			Certificates:           []tls.Certificate{own.Certificate},
			ClientAuth:             clientAuth,
			ClientCAs:              own.Roots,
			VerifyConnection:       own.checkClient,
		}, nil
	}
	return base
}

// checkClient runs after crypto/tls has verified the chain, if there is one.
func (i *Identity) checkClient(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	if _, _, err := i.accept(state.PeerCertificates[0], state.VerifiedChains); err != nil {
		return verificationError(state, err)
	}
	return nil
}

// ClientTLS returns a configuration for TLS 1.3 clients. It gets certificate and roots from src
// at every handshake.
//
// The server's chain must lead to one of the roots, and serverID must return nil for its SPIFFE
// ID, or for the zero ID if it has none. If serverID is nil, the host name of the connection is
// checked instead. Go passes no host name to the verification of an IP address, so with a nil
// serverID such connections are refused.
func ClientTLS(src Source, serverID func(spiffeid.ID) error) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// RootCAs cannot follow changing roots, so VerifyConnection does the whole verification.
		InsecureSkipVerify: true, //nolint:gosec // see VerifyConnection
		VerifyConnection: func(state tls.ConnectionState) error {
			own, err := src.Identity()
			if err != nil {
				return fmt.Errorf("mtls: no identity to verify the server with: %w", err)
			}
			return own.checkServer(state, serverID)
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			own, err := src.Identity()
			if err != nil {
				return nil, fmt.Errorf("mtls: no identity to present: %w", err)
			}
			return &own.Certificate, nil
		},
	}
}

func (i *Identity) checkServer(state tls.ConnectionState, serverID func(spiffeid.ID) error) error {
	if serverID == nil && state.ServerName == "" {
		return errors.New("mtls: cannot verify the server: the address has no host name and no SPIFFE ID is expected")
	}
	options := x509.VerifyOptions{
		Roots:         i.Roots,
		Intermediates: pool(state.PeerCertificates[1:]),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if serverID == nil {
		options.DNSName = state.ServerName
	}
	chains, err := state.PeerCertificates[0].Verify(options)
	if err != nil {
		return verificationError(state, err)
	}
	id, _, err := i.accept(state.PeerCertificates[0], chains)
	if err == nil && serverID != nil {
		err = serverID(id)
	}
	if err != nil {
		return verificationError(state, err)
	}
	return nil
}

func verificationError(state tls.ConnectionState, err error) error {
	return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
}
