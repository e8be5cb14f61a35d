package inbound

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/problem"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// writeError answers r, a REST request whose call ended with err, as problem details, with the
// HTTP status that httpStatus returns for its code. A mistake in the request's body takes
// precedence.
func writeError(w http.ResponseWriter, r *http.Request, err error, httpStatus func(codes.Code) int) {
	h := httpCallFrom(r.Context())
	switch {
	case h != nil && h.refusal != nil:
		err = h.refusal // which made the body end
	case h != nil && h.hungUp.Load() != nil:
		err = *h.hungUp.Load() // which made the body end, too
	case h != nil:
		if bad, code, detail := bodyProblem(h); bad != 0 {
			refuseBody(h, w, bad, code, detail)
			return
		}
	}
	st := status.Convert(err)
	if h != nil && h.refusal == nil && (!h.rpc || h.body.unread.Load()) {
		st = unreadable(st)
	}
	answer := httpStatus(st.Code())
	if answer == http.StatusUnauthorized && h != nil && h.server.cfg.Tokens != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	accept := r.Header.Get("Accept-Language")
	problem.FromStatus(answer, rpcstatus.Name(st.Code()), st, accept, trace.SpanContextFromContext(r.Context())).Write(w)
}

// streamError returns the error of a running REST stream, for the last line of the answer. Its
// message is the problem of [writeError] as JSON in one line, and its code is that of err. The
// gateway's marshaler puts the message unchanged into {"error": …}. ctx is that of the request,
// or of its call.
func streamError(ctx context.Context, err error, httpStatus func(codes.Code) int) *status.Status {
	st, accept := status.Convert(err), ""
	if h := httpCallFrom(ctx); h != nil {
		accept = h.request.Header.Get("Accept-Language")
	}
	p := problem.FromStatus(httpStatus(st.Code()), rpcstatus.Name(st.Code()), st, accept, trace.SpanContextFromContext(ctx))
	return status.New(st.Code(), string(p.JSON()))
}

// refuseBody answers a request whose body was not read to its end. The connection cannot be used
// again.
func refuseBody(h *httpCall, w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Connection", "close")
	if status == http.StatusUnsupportedMediaType { // RFC 9110 section 15.5.16
		if h.body.encoded {
			w.Header().Set("Accept-Encoding", "identity")
		} else {
			w.Header().Set("Accept", "application/json")
		}
	}
	problem.New(status, code, detail, h.trace.context()).Write(w)
}

// writeRoutingError answers a REST request that matches no route.
func writeRoutingError(ctx context.Context, w http.ResponseWriter, status int) {
	if h := httpCallFrom(ctx); h != nil {
		answerUnread(h)
	}
	problem.New(status, "", "", trace.SpanContextFromContext(ctx)).Write(w)
}
