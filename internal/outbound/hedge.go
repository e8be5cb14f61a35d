package outbound

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/handover"
	"github.com/betmakers/paddock/internal/timeouts"
)

// The result of a second attempt: a label of chassis_rpc_client_hedges_total.
const (
	hedgeWon      = "won"      // its answer was taken
	hedgeLost     = "lost"     // it was sent in vain
	hedgeWithheld = "withheld" // there were too many already
)

// attempt sends a call, through everything behind the pass.
type attempt func(ctx context.Context, reply any, opts []grpc.CallOption) error

// attemptsHeader is the number of the attempt that a server sees, as in gRFC A6 for retries and
// hedges. gRPC adds it to its own retries.
const attemptsHeader = "grpc-previous-rpc-attempts"

// hedge is a call that is sent a second time if its answer is late. The first OK is used and the
// other attempt is cancelled. The call ends when both attempts have, so that neither uses its
// request or its reply any more.
type hedge struct {
	method *clientMethod
	send   attempt
	opts   []grpc.CallOption // for the second attempt

	cancelFirst context.CancelFunc
	ended       chan struct{} // the second attempt has, or will never begin

	// Of the second attempt. Read them after its end.
	reply           proto.Message
	header, trailer metadata.MD
	peer            peer.Peer
	result          string // empty if it was not needed any more
	err             error
	panicked        any // what it panicked with: it goes on in the goroutine of the call
}

// hedged makes a call of a hedged method. Calls whose reply is not a protobuf message are not
// hedged, because a second reply could not be made.
func hedged(ctx context.Context, m *clientMethod, reply any, opts []grpc.CallOption, send attempt) error {
	message, ok := reply.(proto.Message)
	if !ok {
		return send(ctx, reply, opts)
	}
	m.peer.hedges.earn()
	ctx, cancel := timeouts.With(ctx, m.timeout) // of both together
	defer cancel()
	firstCtx, cancelFirst := context.WithCancel(ctx)
	defer cancelFirst()
	secondCtx, cancelSecond := context.WithCancel(ctx)
	defer cancelSecond()

	opts, finish := withoutFinish(opts)
	h := &hedge{
		method: m, send: send, cancelFirst: cancelFirst, ended: make(chan struct{}), reply: message.ProtoReflect().New().Interface(),
	}
	h.opts = h.options(opts)
	timer := time.AfterFunc(m.hedgeAfter, func() { h.second(secondCtx) })
	returned := false
	defer func() {
		if !returned && !timer.Stop() { // the first attempt has panicked, and the other one still uses the messages
			cancelSecond()
			<-h.ended
		}
	}()
	err := send(firstCtx, reply, opts)
	returned = true
	if !timer.Stop() {
		if !mendable(err) {
			cancelSecond()
		}
		<-h.ended
		if h.panicked != nil {
			panic(h.panicked)
		}
		err = h.settle(err, message, opts)
	}
	finish(err)
	return err
}

// mendable reports whether another attempt may succeed after this error. It is false for an
// attempt that was cancelled because of the other, but then the other has ended.
func mendable(err error) bool { return status.Code(err) == codes.Unavailable }

// second is the second attempt. It runs interceptors in its own goroutine, where a panic would
// end the process.
func (h *hedge) second(ctx context.Context) {
	defer close(h.ended)
	returned := false
	defer func() {
		if returned {
			return
		}
		if h.panicked = recover(); h.panicked != nil {
			h.cancelFirst()
			return
		}
		h.err = status.Error(codes.Internal, "the second attempt was ended by runtime.Goexit")
	}()
	h.attempt(ctx)
	returned = true
}

func (h *hedge) attempt(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if !h.method.peer.hedges.spend() {
		h.result = hedgeWithheld
		return
	}
	h.result = hedgeLost
	ctx = metadata.AppendToOutgoingContext(ctx, attemptsHeader, "1")
	if h.err = h.send(ctx, h.reply, h.opts); h.err == nil {
		h.cancelFirst()
	}
}

// settle returns the error of the call, whose first attempt returned err, and copies the second's
// answer if that one has won.
func (h *hedge) settle(err error, reply proto.Message, opts []grpc.CallOption) error {
	if h.result == hedgeLost && err != nil && h.err == nil {
		h.result = hedgeWon
		err = handover.Message(reply, h.reply)
		h.report(opts)
	}
	if h.result != "" {
		h.method.peer.client.hedges.WithLabelValues(h.method.name, h.method.peer.name, h.result).Inc()
	}
	return err
}

// options are the options of the second attempt, which must not write to the targets of the first
// one.
func (h *hedge) options(opts []grpc.CallOption) []grpc.CallOption {
	own := make([]grpc.CallOption, len(opts))
	for i, opt := range opts {
		switch opt.(type) {
		case grpc.HeaderCallOption:
			opt = grpc.Header(&h.header)
		case grpc.TrailerCallOption:
			opt = grpc.Trailer(&h.trailer)
		case grpc.PeerCallOption:
			opt = grpc.Peer(&h.peer)
		}
		own[i] = opt
	}
	return own
}

// report copies results of the second attempt to the options that ask for them.
func (h *hedge) report(opts []grpc.CallOption) {
	for _, opt := range opts {
		switch o := opt.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = h.header
		case grpc.TrailerCallOption:
			*o.TrailerAddr = h.trailer
		case grpc.PeerCallOption:
			*o.PeerAddr = h.peer
		}
	}
}

// withoutFinish returns opts without OnFinish options, because the end comes once for both
// attempts, and a function that calls them.
func withoutFinish(opts []grpc.CallOption) (others []grpc.CallOption, finish func(error)) {
	var finishes []func(error)
	for _, opt := range opts {
		if o, ok := opt.(grpc.OnFinishCallOption); ok {
			finishes = append(finishes, o.OnFinish)
			continue
		}
		others = append(others, opt)
	}
	return others, func(err error) {
		for _, finish := range finishes {
			finish(err)
		}
	}
}

// hedgeBudget bounds second attempts to a tenth of the calls of all hedged methods of one
// service, and a few more after a time without. Its methods may be called concurrently.
type hedgeBudget struct{ tenths atomic.Int64 }

const (
	hedgePrice  = 10
	hedgeSaving = 10 * hedgePrice
)

// earn adds the share of a call.
func (b *hedgeBudget) earn() {
	if b.tenths.Add(1) > hedgeSaving {
		b.tenths.Add(-1)
	}
}

// spend reports whether a second attempt may be made.
func (b *hedgeBudget) spend() bool {
	if b.tenths.Add(-hedgePrice) >= 0 {
		return true
	}
	b.tenths.Add(hedgePrice)
	return false
}
