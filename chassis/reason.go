package chassis

import (
	"fmt"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// Reason returns a new Error for a reason declared in a proto: a value of an enum with the option
// (paddock.v1.reason). Reason is the value's name, Domain the package of its enum, and Code and
// Message are those of the option.
//
//	err := chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)
//	err.Fields = []chassis.FieldViolation{
//		{Field: "name", Description: "has 120 bytes, and may have 100"},
//	}
//	return nil, err
//
// Reason panics if the value lacks the option, its code is not a code of gRPC, or its file has no
// package: only a new build can correct these. In a handler this fails the call like any panic;
// in a package variable it fails the start of the process.
func Reason(value protoreflect.Enum) *Error {
	e, err := reasonError(value)
	if err != nil {
		panic(err)
	}
	return e
}

func reasonError(value protoreflect.Enum) (*Error, error) {
	if value == nil {
		return nil, fmt.Errorf("chassis: Reason is called with nil: pass a value of an enum that protoc-gen-go generated")
	}
	enum := value.Descriptor()
	declared := enum.Values().ByNumber(value.Number())
	if declared == nil {
		return nil, fmt.Errorf("chassis: reason %d: %s in %s has no such value", value.Number(), enum.FullName(), enum.ParentFile().Path())
	}
	where := fmt.Sprintf("%s of %s in %s", declared.Name(), enum.FullName(), enum.ParentFile().Path())
	option, _ := proto.GetExtension(declared.Options(), paddockv1.E_Reason).(*paddockv1.Reason)
	if option == nil {
		return nil, fmt.Errorf("chassis: reason %s has no option (paddock.v1.reason): declare its code there", where)
	}
	var code codes.Code
	if err := code.UnmarshalJSON([]byte(strconv.Quote(option.GetCode()))); err != nil || code == codes.OK {
		return nil, fmt.Errorf("chassis: reason %s: (paddock.v1.reason).code is %q, expected the name of a gRPC code other than OK, such as NOT_FOUND", where, option.GetCode())
	}
	if enum.ParentFile().Package() == "" {
		return nil, fmt.Errorf("chassis: reason %s: the file has no package, which would be the domain of the reason: add a package", where)
	}
	e := &Error{
		Code: code, Reason: string(declared.Name()), Domain: string(enum.ParentFile().Package()), Message: option.GetMessage(),
	}
	if e.Message == "" {
		e.Message = e.Reason
	}
	return e, nil
}
