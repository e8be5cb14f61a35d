package middleware

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/problem"
)

// WriteError answers a REST request whose call came back with err, as problem details with the HTTP status that
// httpStatus gives for its code; what was wrong with the request's body goes before.
func WriteError(ctx context.Context, w http.ResponseWriter, err error, httpStatus func(codes.Code) int) {
	if h := httpCallFrom(ctx); h != nil {
		if bad, detail := h.bodyProblem(); bad != 0 {
			h.refuse(w, bad, detail)
			return
		}
	}
	st := status.Convert(err)
	problem.New(httpStatus(st.Code()), codeName(st.Code()), st.Message(), trace.SpanContextFromContext(ctx)).Write(w)
}

// refuse answers for a body that was not read to its end, after which the connection is of no more use.
func (h *HTTPCall) refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Connection", "close")
	problem.New(status, "", detail, h.trace.context()).Write(w)
}

// WriteRoutingError answers a REST request that no route takes.
func WriteRoutingError(ctx context.Context, w http.ResponseWriter, status int) {
	problem.New(status, "", "", trace.SpanContextFromContext(ctx)).Write(w)
}
