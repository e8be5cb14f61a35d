package balance

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
)

// failedAttempts tells the attempts that repeat another from first ones. gRPC does not say which one a pick is for, but
// all attempts of a call have the context of the call, which ends with it: so what failed is remembered by the context's
// channel, for as long as the call lasts. As long as nothing fails, this costs the load of a counter.
//
// The zero value is ready. All methods may be called concurrently.
type failedAttempts struct {
	count  atomic.Int64
	byCall sync.Map // codes by the channel of the call's context
}

// add remembers that the newest attempt of the call of ctx ended with code.
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

// take returns the code of the attempt that is now repeated for the call of ctx, and whether there is one.
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
