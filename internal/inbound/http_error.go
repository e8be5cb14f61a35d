package inbound

import (
	"context"
	"net/http"
	"strings"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
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
		st = unreadable(st, h.asked)
	}
	answer := httpStatus(st.Code())
	if answer == http.StatusUnauthorized && h != nil && h.server.cfg.Tokens != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	accept := r.Header.Get("Accept-Language")
	sent := forwardMetadata(h, w, r)
	problem.FromStatus(answer, rpcstatus.Name(st.Code()), st, accept, trace.SpanContextFromContext(r.Context())).Write(w)
	sent()
}

// forwardMetadata adds the headers that the handler of a failed call has set to the answer, under
// the gateway's names. The result adds the trailers, once the answer is written, for a caller that
// takes them.
func forwardMetadata(h *httpCall, w http.ResponseWriter, r *http.Request) (sent func()) {
	if h == nil || h.made == nil {
		return func() {}
	}
	header, trailer := h.made.metadataOfAnswer()
	for key, values := range header {
		w.Header()[http.CanonicalHeaderKey(gateway.MetadataHeaderPrefix+key)] = values
	}
	if len(trailer) == 0 || !strings.Contains(strings.ToLower(r.Header.Get("TE")), "trailers") {
		return func() {}
	}
	for key := range trailer {
		w.Header().Add("Trailer", http.CanonicalHeaderKey(gateway.MetadataTrailerPrefix+key))
	}
	return func() {
		for key, values := range trailer {
			w.Header()[http.CanonicalHeaderKey(gateway.MetadataTrailerPrefix+key)] = values
		}
	}
}

// cutRaw cuts a stream of raw bytes that fails: an error behind them would be a part of the file.
// Call it in the request's goroutine.
func cutRaw(ctx context.Context) {
	h := httpCallFrom(ctx)
	if h == nil || h.raw == nil {
		return
	}
	h.mu.Lock()
	h.status = http.StatusInternalServerError // for log and metrics
	h.mu.Unlock()
	panic(http.ErrAbortHandler)
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
