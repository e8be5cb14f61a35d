package inbound

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// protojson ignores an unknown name of an enum where it ignores unknown fields, and the field is 0:
// a typing error would become a value. A request with one is refused, as in its path and query.

const nullValue = "google.protobuf.NullValue" // whose only name is null

// enumNames remembers which messages have enums in them, by descriptor. Its zero value is empty.
type enumNames struct{ known sync.Map }

// within reports whether JSON of a message may have names of enums in it.
func (e *enumNames) within(message protoreflect.MessageDescriptor) bool {
	if found, ok := e.known.Load(message); ok {
		return found == true
	}
	found := hasEnums(message, map[protoreflect.FullName]bool{})
	e.known.Store(message, found)
	return found
}

func hasEnums(message protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	name := message.FullName()
	if seen[name] {
		return false
	}
	seen[name] = true
	if name == anyName || message.ExtensionRanges().Len() > 0 {
		return true // anything may be in it
	}
	if ofItsOwn(name) {
		return false
	}
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if field.IsMap() {
			field = field.MapValue()
		}
		if namesEnum(field) || field.Message() != nil && hasEnums(field.Message(), seen) {
			return true
		}
	}
	return false
}

const anyName = "google.protobuf.Any"

// ofItsOwn reports whether the JSON of a message is not an object of its fields.
func ofItsOwn(name protoreflect.FullName) bool {
	short, ok := strings.CutPrefix(string(name), "google.protobuf.")
	if !ok {
		return false
	}
	switch short {
	case "Timestamp", "Duration", "FieldMask", "Struct", "Value", "ListValue", "Empty":
		return true
	}
	return strings.HasSuffix(short, "Value") // the wrappers
}

func namesEnum(field protoreflect.FieldDescriptor) bool {
	return field.Enum() != nil && field.Enum().FullName() != nullValue
}

// noEnumError is the error of a field, by its path, that has no name of its enum.
type noEnumError string

func (e noEnumError) Error() string {
	if e == "" {
		return "the value is no name of its enum"
	}
	return "the value of " + string(e) + " is no name of its enum"
}

// unknownEnum returns an error if data, which is valid JSON of a message, has an unknown name of an
// enum in it.
func unknownEnum(data []byte, message protoreflect.MessageDescriptor) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return enumSearch{d, anyDepth}.message(message, "")
}

// anyDepth is how many Anys within each other are searched: each is read a second time.
const anyDepth = 4

// enumSearch walks through JSON. It keeps nothing of it, and is as deep as protojson allows. Errors
// of the decoder cannot come, as the JSON was read once.
type enumSearch struct {
	*json.Decoder
	anys int // left
}

func (s enumSearch) message(message protoreflect.MessageDescriptor, path string) error {
	switch name := message.FullName(); {
	case name == anyName:
		return s.anything(path)
	case ofItsOwn(name):
		return s.skip()
	}
	return s.object(func(key string) error {
		field := fieldOf(message, key)
		if field == nil {
			return s.skip()
		}
		return s.field(field, path+"."+string(field.Name()))
	})
}

// fieldOf returns the field of a key, nil for none.
func fieldOf(message protoreflect.MessageDescriptor, key string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByJSONName(key); field != nil {
		return field
	}
	if field := message.Fields().ByTextName(key); field != nil {
		return field
	}
	if !strings.HasPrefix(key, "[") {
		return nil
	}
	extension, err := protoregistry.GlobalTypes.FindExtensionByName(protoreflect.FullName(strings.Trim(key, "[]")))
	if err != nil {
		return nil
	}
	return extension.TypeDescriptor()
}

func (s enumSearch) field(field protoreflect.FieldDescriptor, path string) error {
	switch {
	case field.IsMap():
		return s.object(func(string) error { return s.value(field.MapValue(), path) })
	case field.IsList():
		return s.list(func(i int) error { return s.value(field, path+"["+strconv.Itoa(i)+"]") })
	default:
		return s.value(field, path)
	}
}

func (s enumSearch) value(field protoreflect.FieldDescriptor, path string) error {
	switch {
	case namesEnum(field):
		var value any
		if err := s.Decode(&value); err != nil {
			return err
		}
		if name, ok := value.(string); ok && field.Enum().Values().ByName(protoreflect.Name(name)) == nil {
			return noEnumError(strings.TrimPrefix(path, "."))
		}
		return nil
	case field.Message() != nil:
		return s.message(field.Message(), path)
	default:
		return s.skip()
	}
}

func (s enumSearch) object(entry func(key string) error) error {
	return s.within('{', func(int) error {
		token, err := s.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		return entry(key)
	})
}

func (s enumSearch) list(element func(int) error) error { return s.within('[', element) }

// within calls next for each entry of an object or a list. null has none.
func (s enumSearch) within(begins json.Delim, next func(int) error) error {
	token, err := s.Token()
	if err != nil || token != begins {
		return err
	}
	for i := 0; s.More(); i++ {
		if err := next(i); err != nil {
			return err
		}
	}
	_, err = s.Token()
	return err
}

func (s enumSearch) skip() error { return s.Decode(new(json.RawMessage)) }

// anything searches an Any, whose type may stand behind its fields.
func (s enumSearch) anything(path string) error {
	if s.anys == 0 {
		return s.skip()
	}
	var object json.RawMessage
	if err := s.Decode(&object); err != nil {
		return err
	}
	var head struct {
		Type string `json:"@type"`
	}
	if err := json.Unmarshal(object, &head); err != nil || head.Type == "" {
		return err
	}
	found, err := protoregistry.GlobalTypes.FindMessageByURL(head.Type)
	if err != nil || found.Descriptor().FullName() == anyName || ofItsOwn(found.Descriptor().FullName()) {
		return nil //nolint:nilerr // protojson has found it, or the Any is empty
	}
	inner := json.NewDecoder(bytes.NewReader(object))
	inner.UseNumber()
	return enumSearch{inner, s.anys - 1}.message(found.Descriptor(), path)
}
