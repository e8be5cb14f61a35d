package inbound

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/redact"
	"github.com/betmakers/paddock/internal/rpcstatus"
	"github.com/betmakers/paddock/internal/timeouts"
)

// conclude converts the result of a handler to a status. The text of a panic, or of an error
// without a status, goes to the log under an id, and the caller gets only the id.
func conclude(c *call, err error, panicked any, ended error) outcome {
	switch {
	case panicked != nil:
		return concludePanic(c, panicked)
	case !c.returned:
		return hide(c, "handler ended its goroutine", "runtime.Goexit instead of a return")
	case ended != nil:
		return endedOutside(c, ended, err)
	case err == nil:
		return outcome{}
	default:
		return concludeError(c, err)
	}
}

// concludeError converts the handler's error. Its methods are code of the service and may panic,
// as for a nil pointer that was returned as an error.
func concludeError(c *call, err error) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			out = concludePanic(c, p)
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
				return withhold(c, err, st)
			}
			if st.Code() == codes.Unavailable && leaves(c) {
				c.refuse(ReasonDraining, "")
			} else {
				logCause(c, err, st.Code())
			}
			return outcome{st.Code(), st.Err()}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		st := status.FromContextError(err)
		logCause(c, err, st.Code())
		return outcome{st.Code(), status.Error(st.Code(), contextText(st.Code()))}
	}
	return hide(c, "handler returned an error that is no status", redact.Error(err))
}

// contextText is the caller's text for a deadline or a cancellation, whether the handler or the
// chassis has found it. It is fixed, because the handler's text may not be for callers.
func contextText(code codes.Code) string {
	if code == codes.Canceled {
		return context.Canceled.Error()
	}
	return context.DeadlineExceeded.Error()
}

// logCause logs the whole text of a status or context error that wraps another or is wrapped,
// because the caller gets only the status. It logs it as an error if the fault is the service's, as
// a warning if
// the service has cancelled the call itself, else at debug level.
func logCause(c *call, err error, code codes.Code) {
	if _, direct := err.(interface{ GRPCStatus() *status.Status }); direct && errors.Unwrap(err) == nil {
		return
	}
	if err == context.DeadlineExceeded || err == context.Canceled { //nolint:errorlint // a wrapping error has more text
		return
	}
	level := slog.LevelDebug
	switch {
	case c.byCaller:
	case errorType(code) != "":
		level = slog.LevelError
	case code == codes.Canceled:
		level = slog.LevelWarn // the service has ended it itself, as its caller is there
	}
	logger(c.method.server.cfg.Logger).LogAttrs(c, level, "handler's error has a cause",
		slog.String("method", c.method.Name), slog.String("code", rpcstatus.Name(code)), slog.String("error", redact.Error(err)))
}

func concludePanic(c *call, value any) outcome {
	c.byCaller = false // a panic is the service's whatever its caller did
	c.method.server.obs.panics.WithLabelValues("rpc").Inc()
	return hide(c, "handler panicked", value, slog.String("stack", string(debug.Stack())))
}

// hide logs a failure under a new id, and sends only the id to the caller.
func hide(c *call, what string, value any, more ...slog.Attr) outcome {
	id, level := errorID(), slog.LevelError
	if c.byCaller {
		level = slog.LevelInfo // as a rule what the handler waited for has ended with its caller
	}
	attrs := append([]slog.Attr{
		slog.String("method", c.method.Name), slog.String("error_id", id), slog.Any("error", redact.Value(value)),
	}, more...)
	logger(c.method.server.cfg.Logger).LogAttrs(c, level, what, attrs...)
	return outcome{codes.Internal, status.Error(codes.Internal, fixedText(codes.Internal, id))}
}

// abandoned reports whether the caller had gone, by its own deadline or a cancellation, before
// nine tenths of the method's time. The failure of such a call is not counted against the
// service. The last tenth is for callers that wait as long as the contract allows, because their
// clocks have started earlier.
func abandoned(c *call, elapsed time.Duration) bool {
	if !c.returned || c.Err() == nil {
		return false
	}
	if rare := c.rare.Load(); rare != nil && rare.unsent {
		return false
	}
	limit := c.method.Timeout
	if s := restOf(c.stream); s != nil {
		limit = timeouts.Earlier(limit, s.limit)
	}
	return limit <= 0 || elapsed < limit-limit/10
}
