package inbound

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"google.golang.org/grpc"
)

// reply is what a handler has set of the HTTP answer to its call.
type reply struct {
	status int // zero for the usual one
	header http.Header
}

// SetReply sets status, unless it is zero, and header of the HTTP answer to the REST call of ctx.
// It replaces fields that were set before, but adds cookies. For a gRPC call, and outside of a
// call, it only checks its arguments. It fails after the header is sent.
func SetReply(ctx context.Context, status int, header http.Header) error {
	if err := checkReply(status, header); err != nil {
		return err
	}
	t, ok := grpc.ServerTransportStreamFromContext(ctx).(restTransport)
	if !ok {
		return nil
	}
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent {
		return errHeaderSent
	}
	if s.reply == nil {
		s.reply = &reply{header: http.Header{}}
	}
	s.reply.set(status, header)
	return nil
}

func (p *reply) set(status int, header http.Header) {
	if status != 0 {
		p.status = status
	}
	for name, values := range header {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if name == setCookie {
			values = append(p.header[name], values...)
		}
		p.header[name] = slices.Clone(values)
	}
}

const setCookie = "Set-Cookie"

func checkReply(status int, header http.Header) error {
	if status != 0 && (status < 200 || status > 399 || http.StatusText(status) == "") {
		return fmt.Errorf("the HTTP status %d is none of a call that succeeds, such as 201: return an error for the others", status)
	}
	for name, values := range header {
		if !isToken(name) {
			return fmt.Errorf("the HTTP header field %q is not a valid name", name)
		}
		if reserved(textproto.CanonicalMIMEHeaderKey(name)) {
			return fmt.Errorf("the HTTP header field %s is set by the server", name)
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.ContainsFunc(v, isControl) }) {
			return errors.New("the value of the HTTP header field " + name + " has a control character") // and may be secret
		}
	}
	return nil
}

// isToken reports whether name is a token of RFC 9110 section 5.6.2, as field names are.
func isToken(name string) bool {
	return name != "" && strings.Trim(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// reserved reports whether a field belongs to the connection, to the framing of the answer, or to
// this package.
func reserved(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Date", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", TraceHeader:
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

// withError are the fields that a call that fails may set. Others describe an answer that is not
// sent, and could have a proxy keep the error.
func withError(name string) bool { return name == setCookie || name == "Www-Authenticate" }

// applyTo sets the header of an answer, and returns its status: the handler's in place of 200.
func (p *reply) applyTo(header http.Header, status int) int {
	if p == nil {
		return status
	}
	exposed := header["Access-Control-Allow-Origin"] != nil
	for _, name := range slices.Sorted(maps.Keys(p.header)) {
		values := p.header[name]
		if status >= http.StatusBadRequest && !withError(name) {
			continue
		}
		switch name {
		case setCookie, "Vary":
			header[name] = append(header[name], values...)
		default:
			header[name] = values
		}
		if exposed && name != setCookie && !isExposed(name) {
			header.Add(exposeHeaders, name)
		}
	}
	if status == http.StatusOK && p.status != 0 {
		return p.status
	}
	return status
}

// notModified reports whether the caller has the answer already (RFC 9110 section 13.1.2).
func notModified(r *http.Request, header http.Header) bool {
	known, etag := r.Header["If-None-Match"], header["Etag"]
	if len(known) == 0 || len(etag) != 1 || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, list := range known {
		if matchesTag(list, strings.TrimPrefix(etag[0], "W/")) {
			return true
		}
	}
	return false
}

// matchesTag reports whether a list of If-None-Match has a tag, by weak comparison. A quoted tag
// may have commas in it.
func matchesTag(list, opaque string) bool {
	for list = strings.Trim(list, " \t,"); list != ""; list = strings.Trim(list, " \t,") {
		if list[0] == '*' {
			return true
		}
		list = strings.TrimPrefix(list, "W/")
		if list == "" || list[0] != '"' {
			return false
		}
		end := strings.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		if list[:end+2] == opaque {
			return true
		}
		list = list[end+2:]
	}
	return false
}
