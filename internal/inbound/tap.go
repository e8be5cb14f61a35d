package inbound

import (
	"context"
	"time"

	"google.golang.org/grpc/tap"
)

func boundsStreams(s *Server) bool {
	for _, m := range s.Methods() {
		if !m.Unary() && m.Timeout > 0 {
			return true
		}
	}
	return false
}

func boundStream(ctx context.Context, s *Server, info *tap.Info) (context.Context, error) {
	m := s.lookup(info.FullMethodName)
	if m == nil || m.Unary() || m.Timeout <= 0 {
		return ctx, nil
	}
	at := time.Now().Add(m.Timeout)
	if !isEarlier(ctx, at) {
		return ctx, nil
	}
	bounded, cancel := context.WithDeadline(ctx, at) //nolint:gosec // its parent ends it, as said below
	// The transport ends ctx, and bounded with it, after it has written the status. An earlier
	// end would write another status, for a goroutine that the handler has left in RecvMsg.
	_ = cancel
	return byMethod(bounded), nil
}
