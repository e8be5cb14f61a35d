package inbound

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// proof is a connection's proof of its peer's identity, which can end during the connection: a
// certificate expires or is no longer trusted. Valid returns the reason, for operators. It is
// called for every call and must not allocate while the proof is valid.
type proof interface {
	Identity() string
	Valid(now time.Time) error
}

// The errors for callers whose proof has ended: of new calls, and of running streams. A stream
// gets a code that makes its client reconnect, which is enough if the client has renewed its
// certificate.
var (
	errProofEnded  = status.Error(codes.Unauthenticated, "the certificate of this connection is not accepted any more: connect again")
	errStreamProof = status.Error(codes.Unavailable, "the certificate of this connection is not accepted any more: connect again")
	errStreamToken = status.Error(codes.Unauthenticated, "the bearer token has expired")
)

// authOf returns the transport's information about the peer of ctx, nil if there is none.
func authOf(ctx context.Context) credentials.AuthInfo {
	if p, ok := peer.FromContext(ctx); ok {
		return p.AuthInfo
	}
	return nil
}

func proofOf(ctx context.Context) proof {
	held, _ := authOf(ctx).(proof)
	return held
}

// prove sets the identity that mutual TLS has proved, if any, and refuses a call whose proof has
// ended.
func prove(conn context.Context, d *decision, now time.Time) {
	switch info := authOf(conn).(type) {
	case proof:
		if err := info.Valid(now); err != nil {
			d.former = info.Identity()
			d.refuse(ReasonUnauthenticated, endedProof(info, err), errProofEnded)
			return
		}
		d.caller.ID = info.Identity()
	default:
		d.caller.ID, _ = identityOf(info)
	}
}

// identityOf returns the identity that the transport has proved, empty for none, and whether the
// transport is able to prove one. With crypto/tls alone it is the SPIFFE ID of a verified
// certificate; others are only claims.
func identityOf(info credentials.AuthInfo) (id string, secured bool) {
	switch info := info.(type) {
	case interface{ Identity() string }:
		return info.Identity(), true
	case credentials.TLSInfo:
		return spiffeID(info.State), true
	default:
		return "", false
	}
}

// spiffeID returns the one SPIFFE ID of a verified client certificate, empty if there is none.
func spiffeID(state tls.ConnectionState) string {
	if len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return ""
	}
	uris := state.VerifiedChains[0][0].URIs
	if len(uris) != 1 || uris[0].Scheme != "spiffe" {
		return ""
	}
	return uris[0].String()
}

func endedProof(held proof, err error) string {
	return "the caller was " + nameOf(held.Identity()) + ", but " + err.Error()
}

func nameOf(id string) string {
	if id == "" {
		return "one without identity"
	}
	return id
}

// proved refuses a request on a connection whose proof has ended, for any handler, and closes the
// connection.
func proved(h *httpCall) bool {
	held := proofOf(h.parent)
	if held == nil {
		return true
	}
	err := held.Valid(h.start)
	if err == nil {
		return true
	}
	h.reason, h.explain, h.former = ReasonUnauthenticated, endedProof(held, err), held.Identity()
	st := status.Convert(errProofEnded)
	answerUnread(h)
	h.writer.Header().Set("Connection", "close") // HTTP/2 makes a GOAWAY of it
	h.problem(http.StatusUnauthorized, rpcstatus.Name(st.Code()), st.Message())
	return false
}

// standing is the part of a caller's authorization that can end during a call.
type standing struct {
	proof proof     // of the connection, nil if that cannot end
	until time.Time // when the caller's token ends, zero if that is not known or there is none
}

func (s standing) mayEnd() bool { return s.proof != nil || !s.until.IsZero() }

// over returns the error for the caller's streams after its standing has ended, nil before.
func (s standing) over(now time.Time) error {
	switch {
	case s.proof != nil && s.proof.Valid(now) != nil:
		return errStreamProof
	case !s.until.IsZero() && now.After(s.until):
		return errStreamToken
	default:
		return nil
	}
}

// proofInterval is the interval between checks of running streams' proofs.
const proofInterval = time.Second

// watch checks the streams at intervals, while there are any whose proof may end. The caller
// holds the lock.
func (o *streams) watch() {
	if !o.watched {
		o.watched = true
		time.AfterFunc(proofInterval, o.checkProofs)
	}
}

// until ends a stream with its caller's token, if the verifier reports its expiry.
func (o *streams) until(c *call, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if open, ok := o.running[c]; ok {
		open.until = at
		o.running[c] = open
		o.watch()
	}
}

// checkProofs ends the streams whose proof has ended. It does not hold the lock while it verifies
// a proof again.
func (o *streams) checkProofs() {
	now := time.Now()
	calls, requests := o.provable()
	over := map[*call]error{}
	for c, standing := range calls {
		if why := standing.over(now); why != nil {
			over[c] = why
		}
	}
	plainOver := map[*httpCall]error{}
	for h, standing := range requests {
		if why := standing.over(now); why != nil {
			plainOver[h] = why
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for c, why := range over {
		if open, ok := o.running[c]; ok && open.ended == nil {
			o.endOne(c, open, why)
		}
	}
	for h, why := range plainOver {
		o.endPlain(h, why)
	}
	o.watched = false
	if calls, requests := o.mayEnd(); len(calls) > 0 || len(requests) > 0 {
		o.watch()
	}
}

func (o *streams) provable() (map[*call]standing, map[*httpCall]standing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mayEnd()
}

// mayEnd returns the streams whose proof may end and has not ended. The caller holds the lock.
func (o *streams) mayEnd() (map[*call]standing, map[*httpCall]standing) {
	calls, requests := map[*call]standing{}, map[*httpCall]standing{}
	for c, open := range o.running {
		if open.ended == nil && open.mayEnd() {
			calls[c] = open.standing
		}
	}
	for h, open := range o.plain {
		if open.ended == nil && h.standing.mayEnd() {
			requests[h] = h.standing
		}
	}
	return calls, requests
}
