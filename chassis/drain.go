package chassis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ErrCallsCut reports that calls or HTTP requests were still running 3 s before the end of
// CHASSIS_SHUTDOWN_TIMEOUT and were cut. The error that wraps it names them.
var ErrCallsCut = errors.New("calls were cut at the deadline of the shutdown")

// finish closes the service's ports and waits for calls in flight. Streams that have not ended by
// themselves are ended after their grace. When ctx ends, the remaining calls are cut.
func (p *ports) finish(ctx context.Context) error {
	finished := make(chan struct{})
	go func() {
		if p.finishGracefully(ctx) {
			close(finished)
		}
	}()
	at, _ := ctx.Deadline()
	left := time.Until(at)
	streams, uploads := time.NewTimer(streamGrace(left)), time.NewTimer(uploadGrace(left))
	defer streams.Stop()
	defer uploads.Stop()
	for {
		select {
		case <-finished:
			return nil
		case <-streams.C:
			p.endStreams(false)
		case <-uploads.C:
			p.endStreams(true)
		case <-ctx.Done():
			return p.cut()
		}
	}
}

// streamGrace is the time that streams have to end after Draining was closed, out of the time of
// all calls. Streams on which the server sends may have no end of their own.
func streamGrace(left time.Duration) time.Duration { return max(left, 0) / 2 }

// uploadGrace is the same for streams on which only the client sends, which end when it has sent
// everything. They have nearly all of the time, less what a handler needs to return.
func uploadGrace(left time.Duration) time.Duration {
	return max(left, 0) - min(time.Second, max(left, 0)/4)
}

func (p *ports) endStreams(uploads bool) {
	if n := p.chain.EndStreams(uploads); n > 0 {
		p.log.Info("streams are still open: ending their contexts", "streams", n)
	}
}

// finishGracefully ends HTTP and gRPC concurrently, so that neither waits for calls of the other.
// It reports whether all calls have ended before ctx did.
func (p *ports) finishGracefully(ctx context.Context) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if p.http != nil {
			p.http.finish(ctx)
		}
	}()
	if p.grpc != nil {
		p.grpc.GracefulStop()
	}
	<-done
	for len(p.chain.InFlight()) > 0 {
		if ctx.Err() != nil {
			return false
		}
		sleep(ctx, hijackedPoll) // net/http does not wait for handlers of hijacked connections
	}
	return true
}

// answerTime is the time for answers to requests that are cut: HTTP/2 writes them in the
// background, and completes them when handlers return, which they do when their contexts end.
const answerTime = 20 * time.Millisecond

// hijackedPoll is the interval between checks whether such handlers still run. net/http polls for
// its own in the same way.
const hijackedPoll = 10 * time.Millisecond

// cut closes every connection and returns an error with the calls that it cut. Handlers that
// ignore their context run until the process ends. Stop does not wait for them, so it has its own
// goroutine.
func (p *ports) cut() error {
	cut, n := p.inFlight()
	p.calls.Store(int64(n))
	answered := p.chain.Cut()
	if p.http != nil {
		p.http.cut(ErrCallsCut)
		if answered > 0 {
			time.Sleep(answerTime)
		}
		_ = p.http.Close()
	}
	if p.grpc != nil {
		go p.grpc.Stop()
	}
	if cut == "" {
		return nil // only idle connections were left
	}
	return fmt.Errorf("%w: %s", ErrCallsCut, cut)
}

// callsCut returns how many calls were cut. Nil ports were never opened.
func (p *ports) callsCut() int {
	if p == nil {
		return 0
	}
	return int(p.calls.Load())
}

// inFlight lists the methods and routes with running calls, and the number of each and of all.
func (p *ports) inFlight() (listed string, calls int) {
	running := p.chain.InFlight()
	var named []string
	for _, name := range slices.Sorted(maps.Keys(running)) {
		named = append(named, fmt.Sprintf("%s (%d)", name, running[name]))
		calls += running[name]
	}
	return strings.Join(named, ", "), calls
}
