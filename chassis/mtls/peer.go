package mtls

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/betmakers/paddock/internal/clientsettings"
	"github.com/betmakers/paddock/internal/fault"
)

// AuthInfo is gRPC's information about an authenticated connection: [credentials.TLSInfo] and the
// peer's identity, which is read once per connection.
type AuthInfo struct {
	credentials.TLSInfo
	id    spiffeid.ID
	proof *proof
	raw   net.Conn // below TLS; nil where the connection is not a gRPC server's

	settings *clientsettings.Conn // nil with raw
}

// AuthInfoFromState returns the AuthInfo of a completed handshake. The state must come from a
// connection that this package verified. Nothing is verified again, but the expiry of the
// certificates counts. Without a peer certificate the identity is zero.
func AuthInfoFromState(state tls.ConnectionState) *AuthInfo {
	return newAuthInfo(state, newProof(nil, nil, state, time.Now()))
}

func newAuthInfo(state tls.ConnectionState, proof *proof) *AuthInfo {
	info := &AuthInfo{proof: proof, TLSInfo: credentials.TLSInfo{
		State:          state,
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}}
	info.readID()
	return info
}

func (a *AuthInfo) readID() {
	if len(a.State.PeerCertificates) > 0 {
		// Verification has rejected certificates for which this fails.
		a.id, _ = certificateID(a.State.PeerCertificates[0])
	}
}

// ID returns the peer's SPIFFE ID, zero if it has none.
func (a *AuthInfo) ID() spiffeid.ID { return a.id }

// Identity returns the peer's SPIFFE ID as text, empty if it has none. It does not allocate.
func (a *AuthInfo) Identity() string { return a.id.String() }

// Valid returns nil if a handshake at now would still accept the peer's certificate. It fails if
// the certificate or its authority has expired, if it is revoked, or if the source no longer
// trusts its authority. The error is for operators. A peer without a certificate is valid.
//
// Call Valid for every call: while nothing has changed it compares two pointers and a time, and
// does not allocate.
func (a *AuthInfo) Valid(now time.Time) error { return a.proof.valid(now) }

// Leaving reports whether the peer should reconnect, because its certificate is no longer valid
// or expires soon, in at most 5 minutes. A peer that has renewed its certificate loses no call if
// it reconnects then.
func (a *AuthInfo) Leaving(now time.Time) bool { return a.proof.leaving(now) }

// HeaderListLimit returns the size of headers that the client has said to take, in bytes, and 0 if
// it takes any, or for a connection of other credentials than [ServerCredentials].
func (a *AuthInfo) HeaderListLimit() int {
	if a.settings == nil {
		return 0
	}
	return a.settings.HeaderListLimit()
}

// Cut breaks the connection like a network failure, with a TCP reset if possible. It is for tests
// of callers. It does nothing for a connection of other credentials than [ServerCredentials].
func (a *AuthInfo) Cut() {
	if a.raw != nil {
		fault.Cut(a.raw)
	}
}

// ConnContext is the [net/http.Server.ConnContext] of a server behind [Listener]. It stores the
// connection's peer in the context like gRPC, so that [PeerID] works in HTTP handlers. The peer
// of a connection without TLS has no identity.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	p := &peer.Peer{Addr: conn.RemoteAddr(), LocalAddr: conn.LocalAddr()}
	if t, ok := conn.(*tls.Conn); ok && t.ConnectionState().HandshakeComplete {
		state := t.ConnectionState()
		if w, ok := t.NetConn().(*watched); ok {
			p.AuthInfo = newAuthInfo(state, w.proof)
		} else {
			p.AuthInfo = AuthInfoFromState(state)
		}
	}
	return peer.NewContext(ctx, p)
}

// PeerID returns the SPIFFE ID that the caller has proved by mutual TLS. It returns false if
// there is none, or if its certificate is no longer valid; see [AuthInfo.Valid]. It reads the
// gRPC peer in ctx. An AuthInfo of another package is accepted if its method Identity() string
// returns a SPIFFE ID.
func PeerID(ctx context.Context) (spiffeid.ID, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return spiffeid.ID{}, false
	}
	switch info := p.AuthInfo.(type) {
	case *AuthInfo:
		if info.id.IsZero() || info.Valid(time.Now()) != nil {
			return spiffeid.ID{}, false
		}
		return info.id, true
	case interface{ Identity() string }:
		id, err := spiffeid.FromString(info.Identity())
		return id, err == nil
	}
	return spiffeid.ID{}, false
}
