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

// limitRate applies the operator's rate limit to a caller, if there is one. Health checks and
// reflection have none. A caller without identity is identified by the address of conn.
func limitRate(conn context.Context, d *decision, caller Caller, h *httpCall, now time.Time) {
	s := d.method.server
	if s.limiter == nil || d.method.Quiet {
		return
	}
	taken := s.limiter.Take(caller, s.trustDomain, remoteAddr(conn), now)
	if taken.Limit == nil {
		return
	}
	setQuota(h, taken)
	if taken.Refused {
		d.refuse(ReasonRateLimited, taken.Limit.String(), tooMany(taken))
	}
}

// tooMany is the refusal, with the time after which the caller may try again.
func tooMany(d ratelimit.Decision) error {
	return rpcstatus.WithRetry(status.New(codes.ResourceExhausted, "too many calls: the caller's rate limit is used up"), d.More).Err()
}

// remoteAddr is the remote address of a call's connection, nil if it is not known. Headers are
// not trusted.
func remoteAddr(ctx context.Context) net.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	return p.Addr
}

// setQuota adds the caller's remaining quota to the headers of the answer. gRPC calls have no
// such headers.
func setQuota(h *httpCall, d ratelimit.Decision) {
	if h == nil {
		return
	}
	kept := d // so that a call by gRPC does not pay for it
	h.mu.Lock()
	defer h.mu.Unlock()
	h.quota = &kept
}
