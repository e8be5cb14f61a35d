// Package rpcstatus takes the details out of a google.rpc.Status: those that mean something to
// every service, by type.
//
// A status may come from another process, so nothing in it is trusted: only details of known types
// are decoded, only so many, and only up to a size that bounds what they take in memory.
package rpcstatus

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Bounds of what is looked at.
const (
	maxDetails = 64       // of a status
	maxBytes   = 64 << 10 // of one detail, encoded
)

// Details are the details of a status. Fields are nil for those that it does not have.
type Details struct {
	Info      *errdetails.ErrorInfo
	Request   *errdetails.BadRequest
	Retry     *errdetails.RetryInfo
	Localized *errdetails.LocalizedMessage

	// Others are those that were not decoded: of another type, malformed, too large, beyond the
	// first of their type.
	Others []*anypb.Any
}

// Split takes the details of st apart. A nil st has none.
func Split(st *status.Status) Details {
	var d Details
	for i, detail := range st.Proto().GetDetails() {
		if i >= maxDetails || !d.take(detail) {
			d.Others = append(d.Others, detail)
		}
	}
	return d
}

// take decodes one detail, and reports whether it could.
func (d *Details) take(detail *anypb.Any) bool {
	switch detail.MessageName() {
	case "google.rpc.ErrorInfo":
		return decode(detail, &d.Info)
	case "google.rpc.BadRequest":
		return decode(detail, &d.Request)
	case "google.rpc.RetryInfo":
		return decode(detail, &d.Retry)
	case "google.rpc.LocalizedMessage":
		return decode(detail, &d.Localized)
	default:
		return false
	}
}

// decode sets *to unless it is set already.
func decode[M interface {
	*T
	proto.Message
}, T any](detail *anypb.Any, to *M) bool {
	if *to != nil || len(detail.GetValue()) > maxBytes {
		return false
	}
	message := M(new(T))
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(detail.GetValue(), message); err != nil {
		return false
	}
	*to = message
	return true
}
