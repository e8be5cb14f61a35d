package rpcstatus

import (
	"encoding/base64"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Size returns how many bytes the message and the details of a status take in the trailers of gRPC.
func Size(st *status.Status) int { return size(st.Proto()) }

func size(p *statuspb.Status) int {
	n := messageSize(p.GetMessage())
	if len(p.GetDetails()) > 0 { // grpc-status-details-bin has the message again
		n += base64.RawStdEncoding.EncodedLen(proto.Size(p))
	}
	return n
}

// messageSize is the size of a text as grpc-message has it, percent-encoded.
func messageSize(text string) int {
	n := len(text)
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			n += 2
		}
	}
	return n
}

// markSize is room for the mark.
const markSize = 120

// Fit returns st in at most limit bytes, as [Size] counts them. What is cut is said at the end of
// the message. The reason and the delay come first, then the other details in their order; of a
// BadRequest as many fields are kept as fit. A message of more than a quarter of the limit is cut
// to that, as it is sent twice. The limit must be a kilobyte at least.
func Fit(st *status.Status, limit int) *status.Status {
	if Size(st) <= limit {
		return st
	}
	given := st.Proto() // a copy
	f := fitting{limit: limit - 2*markSize, Status: &statuspb.Status{Code: given.GetCode(), Message: given.GetMessage()}}
	if most := limit / 4; messageSize(given.GetMessage()) > most {
		f.Message, f.shortened = cutMessage(given.GetMessage(), most), true
	}
	f.keep(given.GetDetails())
	f.Message += f.mark()
	return status.FromProto(f.Status)
}

// fitting is a status with what fits so far, and what does not.
type fitting struct {
	*statuspb.Status
	limit           int
	shortened       bool // the message
	fields, details int  // left out
}

// keep adds the details that fit, the small and important ones first, in their given order.
func (f *fitting) keep(given []*anypb.Any) {
	order := make([]int, len(given))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(given[a]) - rank(given[b]) })
	kept := make([]*anypb.Any, len(given))
	for _, i := range order {
		kept[i] = f.fit(given[i])
	}
	f.Details = slices.DeleteFunc(kept, func(detail *anypb.Any) bool { return detail == nil })
}

func rank(detail *anypb.Any) int {
	switch detail.MessageName() {
	case "google.rpc.ErrorInfo", "google.rpc.RetryInfo":
		return 0
	case "google.rpc.LocalizedMessage":
		return 1
	default:
		return 2
	}
}

// fit returns what fits of a detail, nil for nothing, and counts it.
func (f *fitting) fit(detail *anypb.Any) *anypb.Any {
	if f.take(detail) {
		return detail
	}
	request := new(errdetails.BadRequest)
	if detail.MessageName() != "google.rpc.BadRequest" || detail.UnmarshalTo(request) != nil {
		f.details++
		return nil
	}
	all := request.GetFieldViolations()
	for low, high := 0, len(all); ; { // binary search for the most that fit
		if low >= high {
			all = all[:low]
			break
		}
		middle := (low + high + 1) / 2
		if f.takes(packed(all[:middle])) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	f.fields += len(request.GetFieldViolations()) - len(all)
	if len(all) == 0 {
		return nil
	}
	short := packed(all)
	f.take(short)
	return short
}

func packed(violations []*errdetails.BadRequest_FieldViolation) *anypb.Any {
	detail, err := anypb.New(&errdetails.BadRequest{FieldViolations: violations})
	if err != nil { // they were decoded
		return new(anypb.Any)
	}
	return detail
}

// takes reports whether a further detail fits.
func (f *fitting) takes(detail *anypb.Any) bool {
	f.Details = append(f.Details, detail)
	defer func() { f.Details = f.Details[:len(f.Details)-1] }()
	return size(f.Status) <= f.limit
}

func (f *fitting) take(detail *anypb.Any) bool {
	if !f.takes(detail) {
		return false
	}
	f.Details = append(f.Details, detail)
	return true
}

// mark says what was left out, in less than markSize bytes.
func (f *fitting) mark() string {
	what := ""
	if f.shortened {
		what = ", the text"
	}
	if f.fields > 0 {
		what += fmt.Sprintf(", %d fields", f.fields)
	}
	if f.details > 0 {
		what += fmt.Sprintf(", %d details", f.details)
	}
	return " (cut to what the caller takes:" + what[1:] + ")"
}

// cutMessage cuts a text between two characters, so that it takes at most limit bytes.
func cutMessage(text string, limit int) string {
	n := 0
	for i := range text {
		_, width := utf8.DecodeRuneInString(text[i:])
		if n += messageSize(text[i : i+width]); n > limit-messageSize("…") {
			return text[:i] + "…"
		}
	}
	return text
}
