package inbound

import (
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// outcome is the end of a call: the counted code, and the status for the caller.
type outcome struct {
	code codes.Code
	err  error // for the caller: nil or a status, never the text of an unknown error or a panic
}

// message is the caller's text.
func (o outcome) message() string {
	if o.err == nil {
		return ""
	}
	return status.Convert(o.err).Message()
}

// logger returns l, or one that discards if l is nil.
func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// errorID returns 16 random hexadecimal digits, enough to find one line in a day's log.
func errorID() string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, rand.Uint64()))
}

// errorType is the error.type of the OpenTelemetry conventions for a server. It is set only if
// the fault is the service's, so that a caller's mistake uses up no error budget.
func errorType(code codes.Code) string {
	switch rpcstatus.Known(code) {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return rpcstatus.Name(code)
	default:
		return ""
	}
}
