package inbound

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/fault"
)

// settleTime is the time for the last messages before a reset to leave the process, because gRPC
// sends them concurrently with the handler.
const settleTime = 20 * time.Millisecond

// failPartly runs handler on a stream that breaks after some messages. The call ends with the
// stream's error even if the handler ignores it.
func failPartly(c *call, r *fault.Rule, handler func(*call) error) error {
	s := &partialStream{ServerStream: c.stream, call: c, rule: r}
	c.alter(func(rare *rareCall) { rare.partial = s })
	defer s.record() // of a handler that panics too
	err := handler(c)
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	return err
}

// record records the fault in the call and its request, after the handler has returned: the fault
// may have occurred in any of its goroutines.
func (s *partialStream) record() {
	if s.broken.Load() != nil {
		s.call.note(s.rule.String())
		breakOff(s.call, s.rule)
	}
}

// partialStream counts the messages to the caller or, where only the caller streams, from it. As
// with any stream, one goroutine may send while another receives; only one of the two counts.
type partialStream struct {
	grpc.ServerStream
	call   *call
	rule   *fault.Rule
	passed int
	broken atomic.Pointer[error]
}

// SendMsg breaks the stream after the last message that may pass.
func (s *partialStream) SendMsg(m any) error {
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	if err := s.ServerStream.SendMsg(m); err != nil || !s.call.method.ServerStreams {
		return err
	}
	if s.passed++; s.passed < s.rule.After {
		return nil
	}
	return s.inject()
}

// RecvMsg breaks the stream before the first message that may not pass.
func (s *partialStream) RecvMsg(m any) error {
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	if !s.call.method.ServerStreams {
		if s.passed == s.rule.After {
			return s.inject()
		}
		s.passed++
	}
	return s.ServerStream.RecvMsg(m)
}

// inject breaks the stream for good.
func (s *partialStream) inject() error {
	if s.rule.Reset && s.call.http == nil {
		timer := time.NewTimer(settleTime)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.call.Done():
		}
	}
	err := inject(s.call, s.rule, "partial")
	s.broken.Store(&err)
	return err
}
