package inbound

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason is the reason why a call was refused before its handler ran, or ended before its handler
// returned. The list is fixed: it is a label of chassis_rpc_rejected_total.
type Reason string

// The reasons.
const (
	ReasonUnknownMethod   Reason = "unknown_method"  // it is not registered
	ReasonMalformed       Reason = "malformed"       // its message cannot be decoded
	ReasonTooLarge        Reason = "too_large"       // its message exceeds the limit
	ReasonDeadline        Reason = "deadline"        // its time was spent, or its caller gone, before work began
	ReasonUnauthenticated Reason = "unauthenticated" // the caller proved nothing, or its token is not accepted
	ReasonOverload        Reason = "overload"        // there is more to do than can be done
	ReasonDenied          Reason = "denied"          // the method's callers do not name it
	ReasonRateLimited     Reason = "rate_limited"    // the caller has made more calls than the operator allows it
	ReasonInvalid         Reason = "invalid"         // its message breaks the rules declared for it
	ReasonFault           Reason = "fault"           // a fault was injected in its handler's place
	ReasonDraining        Reason = "draining"        // a stream that had not ended when the service stopped
	ReasonShutdown        Reason = "shutdown"        // it was cut: it still ran at the end of the time of a stop
	ReasonUnaudited       Reason = "unaudited"       // the audit log, which must record it first, cannot be written
)

// ofTheCaller reports whether a call is refused for its caller's identity or messages. That is
// not a fault of the service, whatever its gRPC code.
func (r Reason) ofTheCaller() bool {
	switch r {
	case ReasonUnknownMethod, ReasonMalformed, ReasonTooLarge, ReasonUnauthenticated, ReasonDenied, ReasonRateLimited, ReasonInvalid:
		return true
	default: // a deadline is the caller's where that was early
		return false
	}
}

// reasonOfUnreadable returns the reason why a message could not be read, from grpc-go's error.
func reasonOfUnreadable(err error) Reason {
	switch status.Code(err) {
	case codes.ResourceExhausted:
		return ReasonTooLarge
	case codes.Canceled, codes.DeadlineExceeded:
		return ReasonDeadline
	default:
		return ReasonMalformed
	}
}
