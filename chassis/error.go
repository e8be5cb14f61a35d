package chassis

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// Error is an error with all that a caller may know of it: google.rpc.Status and its standard details. A handler returns
// it, also wrapped, and its caller gets it by gRPC as a status and by REST as problem details; see [ErrorOf] for the other
// end. Fields that are zero are not sent. Text that is not UTF-8 is mended on its way.
//
// An Error may be read concurrently. Who sets its fields must own it: change what [Reason] returns, never a sentinel.
type Error struct {
	// Code is the gRPC code; OK, which no error has, counts as UNKNOWN.
	Code codes.Code
	// Reason is what programs branch on, such as NAME_TOO_LONG, and Domain is whose reason it is, such as hello.v1.
	Reason, Domain string
	// Message is for developers, in English.
	Message string
	// Fields are what is wrong with the request, field by field.
	Fields []FieldViolation
	// RetryAfter is how long the caller should wait before it tries again. Zero, and anything less, says nothing.
	RetryAfter time.Duration
	// Localized is the message for a person.
	Localized Localized
	// Metadata tells more about the reason, for programs. REST callers do not get it.
	Metadata map[string]string
	// Cause stays in the process: it is in the text of Error and in the log, and never sent.
	Cause error

	others   []*anypb.Any // details of other types that came with it, handed on as they are
	received bool         // it is the status of a call of another service
	came     string       // with this Message
}

// FieldViolation is what is wrong with one field of a request.
type FieldViolation struct {
	// Field is the path of the field, by the names of the proto: bet.legs[1].stake.
	Field string
	// Description says what is wrong and what was expected, for developers, in English.
	Description string
	// Reason is the same for programs, such as TOO_LONG.
	Reason string
}

// Localized is a message in the language of a locale, which is a BCP 47 tag such as de-CH. REST callers get it in place of
// Message where their Accept-Language names its language.
type Localized struct{ Locale, Message string }

// ErrorOf returns what err, or an error it wraps, tells as a status: an [Error] as it is, and any other status error, such
// as that of a gRPC client, decoded into one. It reports false for nil and for an error without a status.
func ErrorOf(err error) (*Error, bool) {
	var carrier interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &carrier) {
		return nil, false
	}
	if e, ok := carrier.(*Error); ok {
		return e, e != nil
	}
	st := carrier.GRPCStatus()
	if st.Code() == codes.OK {
		return nil, false
	}
	return decodeError(st), true
}

func decodeError(st *status.Status) *Error {
	d := rpcstatus.Split(st)
	e := &Error{
		Code: st.Code(), Message: st.Message(), others: d.Others,
		Reason: d.Info.GetReason(), Domain: d.Info.GetDomain(), Metadata: d.Info.GetMetadata(),
		RetryAfter: max(d.Retry.GetRetryDelay().AsDuration(), 0),
		Localized:  Localized{d.Localized.GetLocale(), d.Localized.GetMessage()},
	}
	for _, v := range d.Request.GetFieldViolations() {
		e.Fields = append(e.Fields, FieldViolation{v.GetField(), v.GetDescription(), v.GetReason()})
	}
	return e
}

// Error returns code, domain, reason, message and cause, for the log. It is not what the caller gets.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	text := []string{e.code().String()}
	if e.Reason != "" {
		text[0] += " (" + strings.TrimPrefix(e.Domain+" "+e.Reason, " ") + ")"
	}
	if e.Message != "" {
		text = append(text, e.Message)
	}
	if e.Cause != nil {
		text = append(text, e.Cause.Error())
	}
	return strings.Join(text, ": ")
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Cause
}

// Is reports whether target is an Error of the same Domain and Reason, neither of them empty: with everything else
// different they still are the same error, so that one that has crossed the wire is that of the proto.
func (e *Error) Is(target error) bool {
	if target == rpcstatus.ErrReceived {
		return e != nil && e.received && e.Message == e.came
	}
	t, ok := target.(*Error)
	return ok && e != nil && t != nil && e.Reason != "" && e.Domain != "" && e.Reason == t.Reason && e.Domain == t.Domain
}

func (e *Error) code() codes.Code {
	if e.Code == codes.OK {
		return codes.Unknown
	}
	return e.Code
}

// GRPCStatus returns what is sent, and nil for a nil Error. It satisfies [status.FromError].
func (e *Error) GRPCStatus() *status.Status {
	if e == nil {
		return nil
	}
	st := status.New(e.code(), mended(e.Message)).Proto()
	for _, detail := range e.details() {
		if packed, err := anypb.New(detail); err == nil { // always: its text is mended
			st.Details = append(st.Details, packed)
		}
	}
	st.Details = append(st.Details, e.others...)
	return status.FromProto(st)
}

func (e *Error) details() (details []proto.Message) {
	if e.Reason != "" || e.Domain != "" || len(e.Metadata) > 0 {
		details = append(details, &errdetails.ErrorInfo{
			Reason: mended(e.Reason), Domain: mended(e.Domain), Metadata: mendedMap(e.Metadata),
		})
	}
	if len(e.Fields) > 0 {
		request := &errdetails.BadRequest{}
		for _, f := range e.Fields {
			request.FieldViolations = append(request.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: mended(f.Field), Description: mended(f.Description), Reason: mended(f.Reason),
			})
		}
		details = append(details, request)
	}
	if e.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	if e.Localized != (Localized{}) {
		details = append(details, &errdetails.LocalizedMessage{
			Locale: mended(e.Localized.Locale), Message: mended(e.Localized.Message),
		})
	}
	return details
}

// mended is text as protobuf takes it.
func mended(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func mendedMap(m map[string]string) map[string]string {
	all := make(map[string]string, len(m))
	for k, v := range m {
		all[mended(k)] = mended(v)
	}
	return all
}
