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

// ErrCallsCut says that calls or HTTP requests still ran when the time for them had passed, 3 s before the end of
// CHASSIS_SHUTDOWN_TIMEOUT, and were cut. The error that wraps it names them.
var ErrCallsCut = errors.New("calls were cut at the deadline of the shutdown")

// finish closes the service's ports and waits for the calls in flight, until ctx ends: then it cuts them. Streams
// that have not ended by themselves are ended before.
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

// streamGrace is how long streams may go on after they were told to end, out of what calls have. Where the server
// sends, a stream may have no end of its own.
func streamGrace(left time.Duration) time.Duration { return max(left, 0) / 2 }

// uploadGrace is the same for streams that the client alone sends, which end when it has sent everything: they have
// nearly all of the time, less what a handler needs to come back.
func uploadGrace(left time.Duration) time.Duration {
	return max(left, 0) - min(time.Second, max(left, 0)/4)
}

func (p *ports) endStreams(uploads bool) {
	if n := p.chain.EndStreams(uploads); n > 0 {
		p.log.Info("streams are still open: ending their contexts", "streams", n)
	}
}

// finishGracefully ends HTTP and gRPC beside each other: neither waits for calls of the other. It reports whether all
// calls have ended, and gives up with ctx.
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
		sleep(ctx, hijackedPoll) // handlers that have hijacked their connections, which net/http does not wait for
	}
	return true
}

// answerTime is for the answers to requests that are cut: HTTP/2 sends them behind the back of who writes, and their ends
// when handlers return, as those do whose contexts have ended.
const answerTime = 20 * time.Millisecond

// hijackedPoll is how often it is looked whether such handlers still run, as net/http does for others.
const hijackedPoll = 10 * time.Millisecond

// cut ends every connection, and names the calls that it cuts. Handlers that ignore their context run on until the
// process ends; Stop does not wait for them, and is given a goroutine all the same.
func (p *ports) cut() error {
	cut := p.inFlight()
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

// inFlight names the methods and routes that run, with the number of their calls.
func (p *ports) inFlight() string {
	running := p.chain.InFlight()
	var named []string
	for _, name := range slices.Sorted(maps.Keys(running)) {
		named = append(named, fmt.Sprintf("%s (%d)", name, running[name]))
	}
	return strings.Join(named, ", ")
}
