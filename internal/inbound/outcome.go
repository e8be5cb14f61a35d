package inbound

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/redact"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// outcome is how a call ended: what it counts as, and what its caller is told.
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

// outcome makes a status of whatever a handler came back with. What may not leave the process, the text of a panic or
// of an error that is no status, goes to the log under an id, and the caller gets the id.
func (c *call) outcome(err error, panicked any, ended error) outcome {
	switch {
	case panicked != nil:
		return c.panicked(panicked)
	case !c.returned:
		return c.hidden("handler ended its goroutine", "runtime.Goexit instead of a return")
	case ended != nil:
		return c.endedOutside(ended, err)
	case err == nil:
		return outcome{}
	default:
		return c.failed(err)
	}
}

// failed asks the handler's error what it is. That runs code of the service, which may panic as the handler may: a nil
// pointer that was returned as an error does.
func (c *call) failed(err error) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			out = c.panicked(p)
		}
	}()
	var short *shortError
	if errors.As(err, &short) {
		short.tell(c)
	}
	var carrier interface{ GRPCStatus() *status.Status }
	if errors.As(err, &carrier) {
		if st := carrier.GRPCStatus(); st.Code() != codes.OK {
			c.byCaller = c.byCaller || c.unread(st.Code())
			if c.outside() && c.reason() == "" && ofTheInside(carrier, st) {
				return c.withheld(err, st)
			}
			if st.Code() == codes.Unavailable && c.leaves() {
				c.refuse(ReasonDraining, "")
			} else {
				c.logCause(err, st.Code())
			}
			return outcome{st.Code(), st.Err()}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		st := status.FromContextError(err)
		c.logCause(err, st.Code())
		return outcome{st.Code(), status.Error(st.Code(), contextText(st.Code()))}
	}
	return c.hidden("handler returned an error that is no status", redact.Error(err))
}

// contextText is what a caller is told of a deadline or a cancellation, whether the handler has told of it or the chassis
// has seen it: no more than that, as a handler may wrap it in what is not for callers.
func contextText(code codes.Code) string {
	if code == codes.Canceled {
		return context.Canceled.Error()
	}
	return context.DeadlineExceeded.Error()
}

// logCause logs the whole text of a status or context error that wraps another or is wrapped, as the caller gets only
// the status: as an error where the fault is the service's, else for those who look closely.
func (c *call) logCause(err error, code codes.Code) {
	if _, direct := err.(interface{ GRPCStatus() *status.Status }); direct && errors.Unwrap(err) == nil {
		return
	}
	if err == context.DeadlineExceeded || err == context.Canceled { //nolint:errorlint // wrapped, they tell more
		return
	}
	level := slog.LevelDebug
	if errorType(code) != "" && !c.byCaller {
		level = slog.LevelError
	}
	logger(c.method.server.cfg.Logger).LogAttrs(c, level, "handler's error has a cause",
		slog.String("method", c.method.Name), slog.String("code", rpcstatus.Name(code)), slog.String("error", redact.Error(err)))
}

func (c *call) panicked(value any) outcome {
	c.byCaller = false // a panic is the service's whatever its caller did
	c.method.server.obs.panics.WithLabelValues("rpc").Inc()
	return c.hidden("handler panicked", value, slog.String("stack", string(debug.Stack())))
}

// hidden logs what went wrong under a new id, and tells the caller the id alone.
func (c *call) hidden(what string, value any, more ...slog.Attr) outcome {
	id, level := errorID(), slog.LevelError
	if c.byCaller {
		level = slog.LevelInfo // as a rule what the handler waited for has ended with its caller
	}
	attrs := append([]slog.Attr{
		slog.String("method", c.method.Name), slog.String("error_id", id), slog.Any("error", value),
	}, more...)
	logger(c.method.server.cfg.Logger).LogAttrs(c, level, what, attrs...)
	return outcome{codes.Internal, status.Error(codes.Internal, fixedText(codes.Internal, id))}
}

// logger returns l, or one that discards if l is nil.
func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// errorID returns 16 random hexadecimal digits: enough to find one line in a day's log.
func errorID() string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, rand.Uint64()))
}

// errorType is the error.type of the OpenTelemetry conventions for a server: set only where the fault is the
// service's, so that a caller's mistake burns no budget.
func errorType(code codes.Code) string {
	switch rpcstatus.Known(code) {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return rpcstatus.Name(code)
	default:
		return ""
	}
}
