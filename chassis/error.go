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

// Error is an error with the details that a caller may see: google.rpc.Status and its standard
// details. A handler returns it, alone or wrapped. Its caller gets a status by gRPC and problem
// details by REST; see [ErrorOf] for the client's side.
//
//	return nil, &chassis.Error{
//		Code: codes.FailedPrecondition, Domain: "bets.v1", Reason: "MARKET_CLOSED",
//		Message: "the market has closed", RetryAfter: time.Minute,
//	}
//
// Zero fields are not sent. Invalid UTF-8 in texts is replaced when the error is sent.
//
// An Error may be read concurrently. Set fields only on an Error that you own, such as the result
// of [Reason], and never on a shared sentinel.
type Error struct {
	// Code is the gRPC code. OK counts as UNKNOWN, because an error cannot be OK.
	Code codes.Code
	// Reason is the identifier that programs branch on, such as NAME_TOO_LONG. Domain is the
	// namespace of the reason, such as hello.v1.
	Reason, Domain string
	// Message is for developers, in English.
	Message string
	// Fields lists the faulty fields of the request.
	Fields []FieldViolation
	// RetryAfter is the time that the caller should wait before it tries again. Zero and negative
	// values are not sent.
	RetryAfter time.Duration
	// Localized is the message for end users.
	Localized Localized
	// Metadata has details of the reason, for programs. REST callers do not get it.
	Metadata map[string]string
	// Cause is the underlying error. It is logged, as a part of the text of Error, and never
	// sent.
	Cause error

	others   []*anypb.Any // details of other types that came with it, handed on as they are
	received bool         // it is the status of a call of another service
	came     string       // with this Message
}

// FieldViolation describes the mistake in one field of a request.
type FieldViolation struct {
	// Field is the path of the field in the names of the proto, such as bet.legs[1].stake.
	Field string
	// Description states the mistake and what was expected, for developers, in English.
	Description string
	// Reason identifies the mistake for programs, such as TOO_LONG.
	Reason string
}

// Localized is a message in one language. Locale is a BCP 47 tag, such as de-CH. REST callers
// whose Accept-Language includes the language get it in place of Error.Message.
type Localized struct{ Locale, Message string }

// ErrorOf returns the [Error] of err, or of an error that err wraps. An Error is returned as it
// is, and another status error, such as that of a gRPC client, is decoded into one. It reports
// false for nil and for an error without a status.
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

// Error returns code, domain, reason, message and cause, for the log. The caller never gets this
// text.
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

// Is reports whether target is an Error with the same Domain and Reason, both not empty. Other
// fields are not compared, so an error that was received from another service matches the one
// that [Reason] makes.
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

// GRPCStatus returns the status that is sent, and nil for a nil Error. [status.FromError] uses
// it.
func (e *Error) GRPCStatus() *status.Status {
	if e == nil {
		return nil
	}
	st := status.New(e.code(), validUTF8(e.Message)).Proto()
	for _, detail := range e.details() {
		if packed, err := anypb.New(detail); err == nil { // always: its text is valid UTF-8
			st.Details = append(st.Details, packed)
		}
	}
	st.Details = append(st.Details, e.others...)
	return status.FromProto(st)
}

func (e *Error) details() (details []proto.Message) {
	if e.Reason != "" || e.Domain != "" || len(e.Metadata) > 0 {
		details = append(details, &errdetails.ErrorInfo{
			Reason: validUTF8(e.Reason), Domain: validUTF8(e.Domain), Metadata: validUTF8Map(e.Metadata),
		})
	}
	if len(e.Fields) > 0 {
		request := &errdetails.BadRequest{}
		for _, f := range e.Fields {
			request.FieldViolations = append(request.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: validUTF8(f.Field), Description: validUTF8(f.Description), Reason: validUTF8(f.Reason),
			})
		}
		details = append(details, request)
	}
	if e.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	if e.Localized != (Localized{}) {
		details = append(details, &errdetails.LocalizedMessage{
			Locale: validUTF8(e.Localized.Locale), Message: validUTF8(e.Localized.Message),
		})
	}
	return details
}

// validUTF8 replaces invalid UTF-8, which protobuf rejects.
func validUTF8(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func validUTF8Map(m map[string]string) map[string]string {
	all := make(map[string]string, len(m))
	for k, v := range m {
		all[validUTF8(k)] = validUTF8(v)
	}
	return all
}
