package inbound

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// decision is the caller of a method and whether it may call. It needs no byte of the message.
type decision struct {
	method  *Method // nil for none yet
	caller  Caller
	former  string    // the identity of a certificate that is not valid any more; empty for none
	until   time.Time // when the caller's token ends, zero if that is not known or there is none
	reason  Reason    // why the call is refused; empty if it is not
	explain string    // the same for operators, in words
	audited Reason    // why it would have been refused, were it not for the audit mode
	err     error     // the error for a refused caller
}

func (d *decision) refuse(reason Reason, explain string, err error) {
	d.reason, d.explain, d.err = reason, explain, err
}

// decide identifies the caller of m, and then checks the operator's rate limit, cross-site
// requests and the method's declaration, in this order. ctx bounds the wait for a token's issuer;
// conn is the transport's context. h is nil for a gRPC call.
func decide(ctx, conn context.Context, m *Method, h *httpCall, now time.Time) decision {
	d := decision{method: m}
	if identify(ctx, conn, &d, h, now); d.err != nil {
		return d
	}
	if limitRate(conn, &d, d.caller, h, now); d.err != nil {
		return d
	}
	if refuseCrossSite(&d, h); d.err != nil {
		return d
	}
	authorize(&d)
	return d
}

// decideAhead decides about the call that the REST request of ctx will make, of method
// "/package.Service/Method". It runs after the method is known, and before the body is read and
// path and query are decoded, as in an annotator of grpc-gateway. A refused call is observed at
// once. Its body cannot be read any more, and [writeError] answers with the refusal, whatever the
// gateway does next. Without decideAhead, the decision is made when the call is made.
func decideAhead(ctx context.Context, method string) {
	h := httpCallFrom(ctx)
	if h == nil || h.refusal != nil {
		return
	}
	m := h.server.lookup(method)
	if m == nil {
		return
	}
	h.ahead, h.asked = decide(ctx, h.parent, m, h, h.start), m
	if h.ahead.err != nil || h.left() < 0 {
		h.refusal = m.Serve(nil, newRESTStream(ctx, h.server, method, RESTConfig{}))
	} else {
		h.refusal = foreignText(h)
	}
	if h.refusal != nil {
		answerUnread(h)
	}
	h.body.refused, h.body.foreign, h.body.stream = h.refusal != nil, !hasJSON(h.request), m.ClientStreams
	if m.MaxRequest > 0 && !m.ClientStreams {
		h.body.atMost(int64(m.MaxRequest))
	}
}

// errRefused is the error of reading the body of a refused request.
var errRefused = errors.New("the request is refused, and its body is not read")

// foreignText finds text in path and query that is not UTF-8, which gRPC rejects in messages.
func foreignText(h *httpCall) error {
	if u := h.request.URL; !utf8.ValidString(u.Path) || !validQuery(u.RawQuery) {
		return status.Error(codes.InvalidArgument, "the request cannot be read: its path or its query is not UTF-8")
	}
	return nil
}

// validQuery reports whether the names and values of a query are UTF-8. A malformed query is left
// to its reader.
func validQuery(raw string) bool {
	if !strings.Contains(raw, "%") {
		return utf8.ValidString(raw)
	}
	text, err := url.QueryUnescape(raw)
	return err != nil || utf8.ValidString(text)
}
