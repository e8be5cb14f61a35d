package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// The time before expiry at which a peer is asked to reconnect: the margin, or a third of the
// remaining time if that is less. With less than leastNotice left no peer is asked.
const (
	noticeMargin = 5 * time.Minute
	leastNotice  = 30 * time.Second
)

// proof is the certificate of a client on a connection, and the result of its last check. A nil
// proof, of a connection without a certificate, is always valid.
type proof struct {
	src   Source // nil: it is not verified again
	chain []*x509.Certificate
	last  atomic.Pointer[verdict]
}

// verdict is the result of checking a proof against an identity. It does not change.
type verdict struct {
	own          *Identity
	leave, until int64 // Unix time in nanoseconds: when the peer should go, and must
	err          error
}

// newProof returns the proof of a handshake. Own was in force when the handshake asked src, or
// earlier.
func newProof(src Source, own *Identity, state tls.ConnectionState, now time.Time) *proof {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	p := &proof{src: src, chain: state.PeerCertificates}
	first := &verdict{own: own, err: errors.New("its certificate was not verified")}
	var until time.Time
	for _, chain := range state.VerifiedChains {
		if end := endOf(chain); end.After(until) {
			until, first.err = end, nil
		}
	}
	if own != nil && first.err == nil { // fewer chains may be good than crypto/tls has verified
		_, until, first.err = own.accept(p.chain[0], state.VerifiedChains)
	}
	first.ends(until, now)
	p.last.Store(first)
	return p
}

// ends sets the times of v.
func (v *verdict) ends(until, now time.Time) {
	v.until, v.leave = until.UnixNano(), until.UnixNano()
	left := until.Sub(now)
	if left < leastNotice {
		return
	}
	margin := min(noticeMargin, left/3)
	v.leave -= int64(margin - rand.N(margin/4)) // clients whose certificates end together need not come together
}

// now returns the verdict of the identity in force.
func (p *proof) now(now time.Time) *verdict {
	v := p.last.Load()
	if p.src == nil {
		return v
	}
	if own, err := p.src.Identity(); err == nil && own != v.own {
		v = p.verify(own, v, now)
		p.last.Store(v)
	}
	return v
}

// verify checks again whether own trusts the peer, unless it trusts the same peers as the
// previous identity.
func (p *proof) verify(own *Identity, before *verdict, now time.Time) *verdict {
	next := &verdict{own: own, leave: before.leave, until: before.until, err: before.err}
	if before.own != nil && own.trustsAs(before.own) {
		return next
	}
	chains, err := p.chain[0].Verify(x509.VerifyOptions{
		Roots: own.Roots, Intermediates: pool(p.chain[1:]), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		next.err = fmt.Errorf("its certificate is not trusted any more: %w", err)
		return next
	}
	var until time.Time
	if _, until, err = own.accept(p.chain[0], chains); err != nil {
		next.err = fmt.Errorf("its certificate is not accepted any more: %w", err)
		return next
	}
	next.err = nil
	next.ends(until, now)
	return next
}

func (p *proof) valid(now time.Time) error {
	if p == nil {
		return nil
	}
	switch v := p.now(now); {
	case v.err != nil:
		return v.err
	case now.UnixNano() > v.until:
		return fmt.Errorf("its certificate, or that of an authority of it, expired at %s", time.Unix(0, v.until).UTC().Format(time.RFC3339))
	default:
		return nil
	}
}

func (p *proof) leaving(now time.Time) bool {
	if p == nil {
		return false
	}
	v := p.now(now)
	return v.err != nil || now.UnixNano() >= v.leave
}
