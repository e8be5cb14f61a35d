package inbound

import (
	"log/slog"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/redact"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// gRPC's errors of failed calls contain addresses, ports and identities of the mesh, and handlers
// often return such an error unchanged. Callers of the own trust domain may read it. Other
// callers get the code with a fixed text and an id, under which the log has the error.

// withhold logs an error, and sends only its code to the caller.
func withhold(c *call, err error, st *status.Status) outcome {
	id, code := errorID(), st.Code()
	level := levelOf(code)
	switch {
	case code == codes.Canceled:
		level = slog.LevelDebug // as a rule it is the caller that has gone
	case c.byCaller:
		level = slog.LevelInfo
	}
	logger(c.method.server.cfg.Logger).LogAttrs(c, level, "handler's error is not for callers from outside",
		slog.String("method", c.method.Name), slog.String("code", rpcstatus.Name(code)), slog.String("error_id", id),
		slog.String("error", redact.Error(err)))
	p := st.Proto() // a copy
	p.Message = fixedText(code, id)
	return outcome{code, status.FromProto(p).Err()}
}

// fixedText is the caller's text in place of one that is not for it.
func fixedText(code codes.Code, id string) string {
	name := strings.ToLower(strings.ReplaceAll(rpcstatus.Name(code), "_", " "))
	if code == codes.Internal || code == codes.Unknown {
		name = "internal error"
	}
	return name + ", id " + id
}

// ofTheInside reports whether the text of a status was not made for callers: it comes from a call
// that the handler made, with a code of gRPC itself and without details, or it has words of gRPC
// or of the network in it.
func ofTheInside(carrier any, st *status.Status) bool {
	if received(carrier) && byTransport(st.Code()) && len(st.Proto().GetDetails()) == 0 {
		return true
	}
	text := st.Message()
	return slices.ContainsFunc(insideWords[:], func(words string) bool { return strings.Contains(text, words) }) ||
		slices.ContainsFunc(insideParts[:], func(part string) bool { return beginsPart(text, part) })
}

// beginsPart reports whether text, or an error quoted in it, begins with part.
func beginsPart(text, part string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], part)
		if i < 0 {
			return false
		}
		before := text[:from+i]
		if before == "" || strings.HasSuffix(before, `"`) || strings.HasSuffix(before, ": ") || strings.HasSuffix(before, "= ") {
			return true
		}
		from += i + len(part)
	}
}

// received reports whether an error came from another service and is returned unchanged.
func received(carrier any) bool {
	e, ok := carrier.(interface{ Is(error) bool })
	return ok && e.Is(rpcstatus.ErrReceived)
}

// byTransport reports whether gRPC itself makes statuses with a code, without an answer of a
// service or against its intention.
func byTransport(code codes.Code) bool {
	switch rpcstatus.Known(code) {
	case codes.Canceled, codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

// insideWords occur in errors of grpc-go, of this package's REST streams, and of the standard
// library below them.
var insideWords = [...]string{
	"rpc error: code = ", "dial tcp ", "dial unix ", "read tcp ", "write tcp ",
	"connection error: desc = ", "name resolver error: ", "last connection error: ", "latest balancer error: ",
	"error reading from server: ", "unexpected HTTP status code received from server", "stream terminated by RST_STREAM",
	"received prior goaway", "the connection is draining", "client connection is closing", "no longer valid to use",
	"no children to pick from", "produced zero addresses", "SubConn", "cardinality violation: ",
	"trying to send message larger than max", "header list size to send", "SendMsg called after CloseSend",
}

// insideParts are the packages that such errors begin with. As words they occur in other texts
// too.
var insideParts = [...]string{"grpc: ", "transport: ", "rest: ", "xds: ", "dns: ", "x509: ", "tls: "}
