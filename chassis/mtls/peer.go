package mtls

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/betmakers/paddock/internal/fault"
)

// AuthInfo is what gRPC keeps about an authenticated connection: [credentials.TLSInfo] and the peer's identity, read
// once per connection.
type AuthInfo struct {
	credentials.TLSInfo
	id    spiffeid.ID
	proof *proof
	raw   net.Conn // below TLS; nil where the connection is not a gRPC server's
}

// AuthInfoFromState returns the AuthInfo of a finished handshake. The state must come from a connection that this
// package verified: nothing is verified again, but the end of the certificates counts. Without a peer certificate
// there is no identity.
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
		// Verification refused certificates for which this fails.
		a.id, _ = certificateID(a.State.PeerCertificates[0])
	}
}

// ID returns the peer's SPIFFE ID, zero if it has none.
func (a *AuthInfo) ID() spiffeid.ID { return a.id }

// Identity returns the peer's SPIFFE ID as text, empty if it has none. It does not allocate.
func (a *AuthInfo) Identity() string { return a.id.String() }

// Valid returns nil while the peer's certificate is as good as in a handshake at now: not expired, nor any authority
// that vouches for it, not revoked, and of an authority that the source trusts. The error is for operators. A peer
// without a certificate is valid. Valid is meant for every call: while nothing has changed it compares two pointers
// and a time, and does not allocate.
func (a *AuthInfo) Valid(now time.Time) error { return a.proof.valid(now) }

// Leaving reports whether the peer should make a new connection: its certificate has ended or soon will, 5 minutes
// before at most. A peer that has renewed its certificate loses no call if it goes then.
func (a *AuthInfo) Leaving(now time.Time) bool { return a.proof.leaving(now) }

// Cut breaks the connection as a network would, with a TCP reset where it has one, for tests of what callers make of
// that. It does nothing for a connection that [ServerCredentials] has not made.
func (a *AuthInfo) Cut() {
	if a.raw != nil {
		fault.Cut(a.raw)
	}
}

// ConnContext is for [net/http.Server.ConnContext] of a server behind [Listener]: it puts the peer of the connection
// where gRPC has it, so that [PeerID] works in HTTP handlers too. Connections without TLS get a peer without identity.
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

// PeerID returns the SPIFFE ID that mutual TLS has proved for the caller, and false if there is none, or the
// certificate that proved it has ended since or is trusted no longer: see [AuthInfo.Valid]. It reads the gRPC peer in
// ctx; an AuthInfo of another package serves too if its method Identity() string returns a SPIFFE ID.
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
