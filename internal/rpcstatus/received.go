package rpcstatus

import "errors"

// ErrReceived is what the Is method of an error answers to if the error is the status of a call of
// another service, as it came. Whose text it has is not known: gRPC may have made it on the way.
var ErrReceived = errors.New("status of another service")
