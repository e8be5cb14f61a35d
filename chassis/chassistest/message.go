package chassistest

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/internal/contract"
)

// Messages are made from descriptors, because the types of the service are not known here.

func methodNamed(fullMethod string) protoreflect.MethodDescriptor {
	name := strings.ReplaceAll(strings.TrimPrefix(fullMethod, "/"), "/", ".")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	m, _ := d.(protoreflect.MethodDescriptor)
	return m
}

// requestNamed returns the request type of a method, nil if it is not known.
func requestNamed(fullMethod string) protoreflect.MessageDescriptor {
	if m := methodNamed(fullMethod); m != nil {
		return m.Input()
	}
	return nil
}

func requestOf(m *contract.Method) protoreflect.MessageDescriptor { return requestNamed(m.FullMethod) }

func answerOf(m *contract.Method) protoreflect.MessageDescriptor {
	if d := methodNamed(m.FullMethod); d != nil {
		return d.Output()
	}
	return nil
}

// newMessage returns an empty message, of the generated type if it is linked into the test.
// Unknown types become a message without fields.
func newMessage(d protoreflect.MessageDescriptor) proto.Message {
	if d == nil {
		return new(emptypb.Empty)
	}
	if t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName()); err == nil {
		return t.New().Interface()
	}
	return dynamicpb.NewMessage(d)
}

// filler sets every field of a message. Fields marked with debug_redact get a canary.
type filler struct {
	canary string
	number int32 // the canary of numbers
	marked bool  // whether any field was
}

const fillDepth = 5

func (f *filler) fill(m protoreflect.Message, secret bool, depth int) {
	if depth == 0 || m.Descriptor().FullName() == "google.protobuf.Any" {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		marked := secret || isMarked(fd)
		if of := fd.ContainingOneof(); of != nil && !marked && m.WhichOneof(of) != nil {
			continue // a secret may stand there already
		}
		f.marked = f.marked || marked
		switch {
		case fd.IsMap():
			values := m.Mutable(fd).Map()
			if value, ok := f.value(fd.MapValue(), values.NewValue, marked, depth); ok {
				if key, ok := f.value(fd.MapKey(), nil, marked, depth); ok {
					values.Set(key.MapKey(), value)
				}
			}
		case fd.IsList():
			list := m.Mutable(fd).List()
			if value, ok := f.value(fd, list.NewElement, marked, depth); ok {
				list.Append(value)
			}
		default:
			if value, ok := f.value(fd, func() protoreflect.Value { return m.NewField(fd) }, marked, depth); ok {
				m.Set(fd, value)
			}
		}
	}
}

func isMarked(fd protoreflect.FieldDescriptor) bool {
	options, _ := fd.Options().(*descriptorpb.FieldOptions)
	return options.GetDebugRedact()
}

func (f *filler) value(fd protoreflect.FieldDescriptor, empty func() protoreflect.Value, secret bool, depth int) (protoreflect.Value, bool) {
	text, number := "conformance", int32(1)
	if secret {
		text, number = f.canary, f.number
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), true
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(text)), true
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true), true
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(values.Len() - 1).Number()), true
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(number), true
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(number)), true
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(number)), true
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(number)), true
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(1), true
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(1), true
	}
	if depth == 1 {
		return protoreflect.Value{}, false
	}
	message := empty()
	f.fill(message.Message(), secret, depth-1)
	return message, true
}
