package rpcstatus

import (
	"sync/atomic"

	"google.golang.org/grpc/codes"
)

// PerCode has a value for each code of gRPC, resolved when it is first needed: handles of metrics,
// for example, whose label is the code. The zero value is empty. It may be used concurrently.
type PerCode[T any] struct {
	values [len(names)]atomic.Pointer[T]
}

// Get returns the value of a code, which resolve is asked for until there is one. A code that gRPC
// does not define counts as UNKNOWN. Goroutines that ask at the same time may each ask resolve.
func (p *PerCode[T]) Get(code codes.Code, resolve func(codes.Code) T) T {
	code = Known(code)
	if v := p.values[code].Load(); v != nil {
		return *v
	}
	v := resolve(code)
	p.values[code].Store(&v)
	return v
}
