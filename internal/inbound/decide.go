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

// decision is who calls a method, and whether that caller may: what is known without a byte of the message.
type decision struct {
	method  *Method // nil for none yet
	caller  Caller
	former  string    // the identity of a certificate that is not accepted any more; empty for none
	until   time.Time // when the caller's token ends, zero if that is not known or there is none
	reason  Reason    // why the call is refused; empty if it is not
	explain string    // the same for operators, in words
	audited Reason    // why it would have been refused, were it not for the audit mode
	err     error     // what the refused caller is told
}

func (d *decision) refuse(reason Reason, explain string, err error) {
	d.reason, d.explain, d.err = reason, explain, err
}

// decide finds out who calls m, and holds the caller to the operator's limit and to the method's declaration, in this
// order. A request that a browser makes for another site is refused where it is the browser that vouches for the
// caller. Ctx ends the wait for a token's issuer; conn is the transport's context. H is nil for a call by gRPC.
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

// decideAhead decides about the call of method, "/package.Service/Method", that the REST request of ctx is about to make:
// before its body is read, and before its path and its query are decoded. It belongs between the choice of the method
// and the reading of the request, as in an annotator of grpc-gateway. A refused call is observed there and then.
// Nothing of its body can be read any more, and whatever the gateway does next, [writeError] answers with the
// refusal. Without decideAhead a call is decided about when it is made.
func decideAhead(ctx context.Context, method string) {
	h := httpCallFrom(ctx)
	if h == nil || h.refusal != nil {
		return
	}
	m := h.server.lookup(method)
	if m == nil {
		return
	}
	h.ahead = decide(ctx, h.parent, m, h, h.start)
	if h.ahead.err != nil || h.left() < 0 {
		h.refusal = m.Serve(nil, newRESTStream(ctx, h.server, method, RESTConfig{}))
	} else {
		h.refusal = unreadableText(h)
	}
	if h.refusal != nil {
		answerUnread(h)
	}
	h.body.refused, h.body.foreign = h.refusal != nil, !hasJSON(h.request)
	if m.MaxRequest > 0 && !m.ClientStreams {
		h.body.atMost(int64(m.MaxRequest))
	}
}

// errRefused is what reading the body of a refused request comes to.
var errRefused = errors.New("the request is refused, and its body is not read")

// unreadableText finds text in path and query that is not UTF-8, which gRPC takes in no message.
func unreadableText(h *httpCall) error {
	if u := h.request.URL; !utf8.ValidString(u.Path) || !validQuery(u.RawQuery) {
		return status.Error(codes.InvalidArgument, "the request cannot be read: its path or its query is not UTF-8")
	}
	return nil
}

// validQuery reports whether the names and values of a query are UTF-8. What is no query at all is left to its reader.
func validQuery(raw string) bool {
	if !strings.Contains(raw, "%") {
		return utf8.ValidString(raw)
	}
	text, err := url.QueryUnescape(raw)
	return err != nil || utf8.ValidString(text)
}
