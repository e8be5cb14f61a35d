// Package handover gives one goroutine the message of another without a copy of what is in it.
package handover

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Message sets the fields of to to those of from, and leaves nothing of what to had before: a
// handler may receive one message after the other into the same one. Lists, maps and messages in
// them are shared, not copied: the giver does not write to them again.
func Message(to, from any) error {
	target, ok1 := to.(proto.Message)
	source, ok2 := from.(proto.Message)
	if !ok1 || !ok2 {
		return status.Errorf(codes.Internal, "rest: %T cannot be handed over as %T: not protobuf messages", from, to)
	}
	dst, src := target.ProtoReflect(), source.ProtoReflect()
	if dst.Descriptor() != src.Descriptor() {
		return status.Errorf(codes.Internal, "rest: %s cannot be handed over as %s", src.Descriptor().FullName(), dst.Descriptor().FullName())
	}
	proto.Reset(target)
	src.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		dst.Set(field, value)
		return true
	})
	if unknown := src.GetUnknown(); len(unknown) > 0 {
		dst.SetUnknown(unknown)
	}
	return nil
}
