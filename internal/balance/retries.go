package balance

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
)

// failedAttempts distinguishes retries from first attempts. gRPC does not pass that to a pick,
// but all attempts of a call share the call's context, which ends with the call. So a failed
// attempt is remembered by the context's channel, for as long as the call lasts. While nothing
// fails, this costs one load of a counter.
//
// The zero value is ready. Its methods may be called concurrently.
type failedAttempts struct {
	count  atomic.Int64
	byCall sync.Map // codes by the channel of the call's context
}

// add records that the newest attempt of the call of ctx ended with code.
func (f *failedAttempts) add(ctx context.Context, code codes.Code) {
	call := ctx.Done()
	if call == nil {
		return
	}
	if _, present := f.byCall.Swap(call, code); present {
		return
	}
	f.count.Add(1)
	context.AfterFunc(ctx, func() { f.take(ctx) })
}

// take returns the code of the previous attempt for the call of ctx, false if there was none.
func (f *failedAttempts) take(ctx context.Context) (codes.Code, bool) {
	if f.count.Load() == 0 {
		return 0, false
	}
	code, ok := f.byCall.LoadAndDelete(ctx.Done())
	if !ok {
		return 0, false
	}
	f.count.Add(-1)
	return code.(codes.Code), true
}
