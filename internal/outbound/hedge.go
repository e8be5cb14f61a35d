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

// What became of a second attempt: a label of chassis_rpc_client_hedges_total.
const (
	hedgeWon      = "won"      // its answer was taken
	hedgeLost     = "lost"     // it was sent in vain
	hedgeWithheld = "withheld" // there were too many already
)

// attempt sends a call, whatever is behind the pass.
type attempt func(ctx context.Context, reply any, opts []grpc.CallOption) error

// attemptsHeader tells a server which attempt at a call it sees, as gRFC A6 has it for retries and hedges alike. gRPC adds it
// to its own retries.
const attemptsHeader = "grpc-previous-rpc-attempts"

// hedge is a call that is sent a second time if its answer is late. The first OK is taken and the other attempt is
// cancelled. The call is over when both attempts are, so that nobody reads its request or writes its reply any more.
type hedge struct {
	method *clientMethod
	send   attempt
	opts   []grpc.CallOption // for the second attempt

	cancelFirst context.CancelFunc
	ended       chan struct{} // the second attempt has, or will never begin

	// Of the second attempt, to be read when it has ended.
	reply           proto.Message
	header, trailer metadata.MD
	peer            peer.Peer
	result          string // empty if it was not needed any more
	err             error
	panicked        any // what it panicked with: it goes on in the goroutine of the call
}

// hedged makes a call of a method that is hedged. Replies that are no protobuf messages cannot be: there is no second one.
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

// mendable reports whether an error leaves hope that another attempt fares better. That of an attempt that was cancelled
// because of the other is none, but then the other is over.
func mendable(err error) bool { return status.Code(err) == codes.Unavailable }

// second is the second attempt. It runs interceptors in a goroutine of its own, where a panic would end the process.
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

// settle returns the error of the call, of which the first attempt came back with err, and takes over the second's
// answer where that one has won.
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

// options are those of the second attempt, which must not write where the first one does.
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

// report gives what the second attempt brought along to the options that ask for it.
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

// withoutFinish returns opts without those that want to know of the end, which comes once for both attempts, and a
// function that tells them.
func withoutFinish(opts []grpc.CallOption) (others []grpc.CallOption, finish func(error)) {
	var told []func(error)
	for _, opt := range opts {
		if o, ok := opt.(grpc.OnFinishCallOption); ok {
			told = append(told, o.OnFinish)
			continue
		}
		others = append(others, opt)
	}
	return others, func(err error) {
		for _, tell := range told {
			tell(err)
		}
	}
}

// hedgeBudget bounds second attempts to a tenth of the calls, of all hedged methods of one service together, and a few
// more where there were none for a while. Its methods may be called concurrently.
type hedgeBudget struct{ tenths atomic.Int64 }

const (
	hedgePrice  = 10
	hedgeSaving = 10 * hedgePrice
)

// earn tells of a call.
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
