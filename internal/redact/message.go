package redact

import (
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// message renders m as protojson would, from a clone without its debug_redact fields. Names that
// are secret by themselves are masked too.
func (w *walker) message(m proto.Message, depth int) any {
	if !m.ProtoReflect().IsValid() {
		return nil
	}
	clone := proto.Clone(m)
	strip(clone.ProtoReflect(), maxDepth)
	raw, err := protojson.MarshalOptions{AllowPartial: true}.Marshal(clone)
	if err != nil {
		return "[unreadable " + string(m.ProtoReflect().Descriptor().FullName()) + "]"
	}
	return w.json(raw, depth)
}

// strip masks or clears the debug_redact fields of m and of every message in it.
func strip(m protoreflect.Message, depth int) {
	if depth == 0 {
		proto.Reset(m.Interface())
		return
	}
	if m.Descriptor().FullName() == "google.protobuf.Any" {
		stripAny(m, depth)
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case marked(fd):
			hide(m, fd)
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				strip(v.Message(), depth-1)
				return true
			})
		case fd.IsMap() || fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				strip(v.List().Get(i).Message(), depth-1)
			}
		default:
			strip(v.Message(), depth-1)
		}
		return true
	})
}

func marked(fd protoreflect.FieldDescriptor) bool {
	options, _ := fd.Options().(*descriptorpb.FieldOptions)
	return options.GetDebugRedact()
}

// hide leaves a mask where the type can hold one, and otherwise nothing.
func hide(m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	if fd.Kind() == protoreflect.StringKind && fd.Cardinality() != protoreflect.Repeated {
		m.Set(fd, protoreflect.ValueOfString(Mask))
		return
	}
	m.Clear(fd)
}

// stripAny opens an Any, or empties it where its type is not linked into the program.
func stripAny(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	typeURL, value := fields.ByNumber(1), fields.ByNumber(2)
	if packed, err := repack(m.Get(typeURL).String(), m.Get(value).Bytes(), depth); err == nil {
		m.Set(value, protoreflect.ValueOfBytes(packed))
		return
	}
	proto.Reset(m.Interface())
}

func repack(url string, raw []byte, depth int) ([]byte, error) {
	inner, err := unpack(url, raw)
	if err != nil {
		return nil, err
	}
	strip(inner, depth-1)
	return proto.MarshalOptions{AllowPartial: true}.Marshal(inner.Interface())
}

func unpack(url string, raw []byte) (protoreflect.Message, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByURL(url)
	if err != nil {
		return nil, err
	}
	inner := t.New()
	return inner, proto.UnmarshalOptions{AllowPartial: true}.Unmarshal(raw, inner.Interface())
}
