package inbound

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/ratelimit"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// limitRate holds a caller to the operator's limit, if there is one. Health checks and reflection have none. One
// without identity is known by the address of conn.
func (d *decision) limitRate(conn context.Context, caller Caller, h *httpCall, now time.Time) {
	s := d.method.server
	if s.limiter == nil || d.method.Quiet {
		return
	}
	taken := s.limiter.Take(caller, s.trustDomain, remoteAddr(conn), now)
	if taken.Limit == nil {
		return
	}
	h.tellQuota(taken)
	if taken.Refused {
		d.refuse(ReasonRateLimited, taken.Limit.String(), tooMany(taken))
	}
}

// tooMany tells the caller when to come again.
func tooMany(d ratelimit.Decision) error {
	return rpcstatus.WithRetry(status.New(codes.ResourceExhausted, "too many calls: the caller's rate limit is used up"), d.More).Err()
}

// remoteAddr is where the connection of a call comes from, nil if that is not known. Headers are not believed.
func remoteAddr(ctx context.Context) net.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	return p.Addr
}

// tellQuota has the answer tell how much the caller has left. A call that came by gRPC has no such headers.
func (h *httpCall) tellQuota(d ratelimit.Decision) {
	if h == nil {
		return
	}
	kept := d // so that a call by gRPC does not pay for it
	h.mu.Lock()
	defer h.mu.Unlock()
	h.quota = &kept
}

// begun notes the status of an answer whose header goes out now, and completes the header. mu is held: a stream's
// handler does not run in the request's goroutine, and must not write to the header itself.
func (h *httpCall) begun(status int) {
	h.status = status
	if h.quota != nil {
		h.writer.Header().Set("RateLimit-Policy", h.quota.Policy())
		h.writer.Header().Set("RateLimit", h.quota.State())
	}
}
