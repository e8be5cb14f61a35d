package validate

import (
	"errors"
	"fmt"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Must returns the function of [New], for chassis.Service.Validate. It panics if New fails, so a
// wrong rule shows at the first start of the program.
func Must() func(proto.Message) error {
	check, err := New()
	if err != nil {
		panic(err)
	}
	return check
}

// New returns a function for chassis.Service.Validate. It compiles the rules of every message
// that is linked into the program, and fails with the names of messages whose rules are invalid.
// The function may be called concurrently. Its errors are statuses: INVALID_ARGUMENT with a
// google.rpc.BadRequest, or INTERNAL.
func New() (func(proto.Message) error, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	if err := compile(validator); err != nil {
		return nil, err
	}
	return func(m proto.Message) error {
		if err := validator.Validate(m); err != nil {
			return refusal(m.ProtoReflect().Descriptor(), err)
		}
		return nil
	}, nil
}

// refusal converts an error of protovalidate to a status.
func refusal(message protoreflect.MessageDescriptor, err error) error {
	if broken, ok := errors.AsType[*protovalidate.ValidationError](err); ok {
		return invalid(message, broken.Violations)
	}
	hidden := status.Error(codes.Internal, "the message cannot be validated")
	if broken, ok := errors.AsType[*protovalidate.CompilationError](err); ok {
		return fmt.Errorf("validate: the rules of %s: %w: %s", message.FullName(), hidden, broken.Error())
	}
	return fmt.Errorf("validate: a rule of %s cannot be evaluated: %w", message.FullName(), hidden) // the cause may quote the message
}

// compile compiles the rules of every message in the linked files, and returns all errors.
func compile(validator protovalidate.Validator) error {
	var errs []error
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if hasRules(file) {
			errs = append(errs, compileAll(validator, file.Messages()))
		}
		return true
	})
	return errors.Join(errs...)
}

func hasRules(file protoreflect.FileDescriptor) bool {
	imports := file.Imports()
	for i := range imports.Len() {
		if imports.Get(i).Path() == validate.File_buf_validate_validate_proto.Path() {
			return true
		}
	}
	return false
}

func compileAll(validator protovalidate.Validator, messages protoreflect.MessageDescriptors) error {
	var errs []error
	for i := range messages.Len() {
		message := messages.Get(i)
		errs = append(errs, compileAll(validator, message.Messages()))
		kind, err := protoregistry.GlobalTypes.FindMessageByName(message.FullName())
		if err != nil {
			continue // of a map's entries, or without a Go type: it cannot be sent
		}
		err = validator.Validate(kind.New().Interface())
		if broken, ok := errors.AsType[*protovalidate.CompilationError](err); ok {
			errs = append(errs, fmt.Errorf("validate: %s: the rules of %s: %w", message.ParentFile().Path(), message.FullName(), broken))
		}
	}
	return errors.Join(errs...)
}
