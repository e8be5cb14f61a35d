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

// How long before its end a peer is asked to make a new connection, so that one which has renewed its certificate
// loses no call: the margin, or a third of what is left where that is less. Without leastNotice left nobody is asked.
const (
	noticeMargin = 5 * time.Minute
	leastNotice  = 30 * time.Second
)

// proof is the certificate of a client on a connection, and what became of it when it was looked at last. A nil proof
// is that of a connection without one: it holds for ever.
type proof struct {
	src   Source // nil: nobody looks again
	chain []*x509.Certificate
	last  atomic.Pointer[verdict]
}

// verdict is what an identity in force makes of a proof. It does not change.
type verdict struct {
	own          *Identity
	leave, until int64 // Unix time in nanoseconds: when the peer should go, and must
	err          error
}

// newProof returns the proof that a client has given in a handshake, which asked src when own was in force, or later.
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

// now returns the verdict of what is in force.
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

// verify looks again whether own trusts the peer, unless it trusts as the identity before.
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
