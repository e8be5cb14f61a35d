package inbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Where a route has one field as its body, the gateway hands over the Go value of the field. Its
// JSON is that of the field within its message: a scalar's is that of its wrapper type.

// field encodes the Go value of a field.
func (m *jsonMarshaler) field(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte("null"), nil
	case proto.Message:
		return m.message(v)
	case protoreflect.Enum:
		return m.enum(v)
	}
	if wrapped := wrap(v); wrapped != nil {
		return m.MarshalOptions.Marshal(wrapped)
	}
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return []byte("null"), nil
		}
		return m.field(value.Elem().Interface())
	case reflect.Slice:
		return m.list(value)
	case reflect.Map:
		return m.object(value)
	default:
		return json.Marshal(v)
	}
}

func (m *jsonMarshaler) enum(v protoreflect.Enum) ([]byte, error) {
	descriptor := v.Descriptor()
	if descriptor.FullName() == nullValue {
		return []byte("null"), nil
	}
	if known := descriptor.Values().ByNumber(v.Number()); known != nil {
		return json.Marshal(string(known.Name()))
	}
	return strconv.AppendInt(nil, int64(v.Number()), 10), nil
}

func (m *jsonMarshaler) list(value reflect.Value) ([]byte, error) {
	all := make([]json.RawMessage, value.Len())
	for i := range all {
		var err error
		if all[i], err = m.field(value.Index(i).Interface()); err != nil {
			return nil, err
		}
	}
	return json.Marshal(all)
}

func (m *jsonMarshaler) object(value reflect.Value) ([]byte, error) {
	all := make(map[string]json.RawMessage, value.Len())
	for entries := value.MapRange(); entries.Next(); {
		encoded, err := m.field(entries.Value().Interface())
		if err != nil {
			return nil, err
		}
		all[fmt.Sprint(entries.Key().Interface())] = encoded
	}
	return json.Marshal(all)
}

// wrap returns the wrapper of a scalar, nil for another type. A nil slice of bytes is an empty one.
func wrap(v any) proto.Message {
	switch v := v.(type) {
	case bool:
		return wrapperspb.Bool(v)
	case int32:
		return wrapperspb.Int32(v)
	case int64:
		return wrapperspb.Int64(v)
	case uint32:
		return wrapperspb.UInt32(v)
	case uint64:
		return wrapperspb.UInt64(v)
	case float32:
		return wrapperspb.Float(v)
	case float64:
		return wrapperspb.Double(v)
	case string:
		return wrapperspb.String(v)
	case []byte:
		return wrapperspb.Bytes(v)
	}
	return nil
}

// intoField decodes one value into the field that target points to.
func (m *jsonMarshaler) intoField(data []byte, target any) error {
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
		return fmt.Errorf("rest: %T is no pointer", target)
	}
	return m.into(data, pointer.Elem())
}

// setEmpty sets the field that target points to, if it has an unset message.
func setEmpty(target any) {
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer || pointer.Elem().Kind() != reflect.Pointer || !pointer.Elem().IsNil() {
		return
	}
	field := pointer.Elem()
	if _, ok := field.Interface().(proto.Message); ok {
		field.Set(reflect.New(field.Type().Elem()))
	}
}

func (m *jsonMarshaler) into(data []byte, field reflect.Value) error {
	if message, ok := field.Interface().(proto.Message); ok {
		return m.intoMessage(data, field, message)
	}
	if enum, ok := field.Interface().(protoreflect.Enum); ok && field.CanInt() {
		number, err := enumNumber(data, enum.Descriptor())
		field.SetInt(int64(number))
		return err
	}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil // as if the field were not there
	}
	if wrapped := wrap(field.Interface()); wrapped != nil {
		if err := m.UnmarshalOptions.Unmarshal(data, wrapped); err != nil {
			return err
		}
		r := wrapped.ProtoReflect()
		field.Set(reflect.ValueOf(r.Get(r.Descriptor().Fields().ByName("value")).Interface()))
		return nil
	}
	switch field.Kind() {
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		return m.into(data, field.Elem())
	case reflect.Slice:
		return m.intoList(data, field)
	case reflect.Map:
		return m.intoMap(data, field)
	default:
		return json.Unmarshal(data, field.Addr().Interface())
	}
}

func (m *jsonMarshaler) intoMessage(data []byte, field reflect.Value, message proto.Message) error {
	if field.IsNil() {
		field.Set(reflect.New(field.Type().Elem()))
		message, _ = field.Interface().(proto.Message)
	}
	return m.unmarshal(data, message)
}

func (m *jsonMarshaler) intoList(data []byte, field reflect.Value) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(data, &elements); err != nil {
		return err
	}
	list := reflect.MakeSlice(field.Type(), len(elements), len(elements))
	for i, element := range elements {
		if err := m.intoElement(element, list.Index(i)); err != nil {
			return err
		}
	}
	field.Set(list)
	return nil
}

var (
	errNull   = errors.New("an element must not be null")
	errKey    = errors.New("a key of the map cannot be read")
	errTwice  = errors.New("a key of the map is given more than once")
	errObject = errors.New("the value must be an object")
)

// intoElement decodes an element of a list or a map, which is null only where null is a value.
func (m *jsonMarshaler) intoElement(data []byte, element reflect.Value) error {
	if bytes.Equal(data, []byte("null")) && !takesNull(element.Interface()) {
		return errNull
	}
	return m.into(data, element)
}

func takesNull(v any) bool {
	switch v := v.(type) {
	case proto.Message:
		return v.ProtoReflect().Descriptor().FullName() == "google.protobuf.Value"
	case protoreflect.Enum:
		return v.Descriptor().FullName() == nullValue
	}
	return false
}

func (m *jsonMarshaler) intoMap(data []byte, field reflect.Value) error {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil { // the entries may end before the data do
		return err
	}
	if !utf8.Valid(data) { // which encoding/json would replace in a key
		return errKey
	}
	entries := json.NewDecoder(bytes.NewReader(data))
	if token, err := entries.Token(); err != nil || token != json.Delim('{') {
		return errors.Join(err, errObject)
	}
	all := reflect.MakeMap(field.Type())
	for entries.More() {
		token, err := entries.Token()
		if err != nil {
			return err
		}
		text, _ := token.(string)
		key, err := mapKey(text, field.Type().Key())
		if err != nil {
			return err
		}
		if all.MapIndex(key).IsValid() {
			return errTwice
		}
		var value json.RawMessage
		if err := entries.Decode(&value); err != nil {
			return err
		}
		element := reflect.New(field.Type().Elem()).Elem()
		if err := m.intoElement(value, element); err != nil {
			return err
		}
		all.SetMapIndex(key, element)
	}
	field.Set(all)
	return nil
}

func mapKey(text string, of reflect.Type) (reflect.Value, error) {
	key := reflect.New(of).Elem()
	var err error
	switch {
	case of.Kind() == reflect.String:
		key.SetString(text)
	case of.Kind() == reflect.Bool && (text == "true" || text == "false"):
		key.SetBool(text == "true")
	case key.CanInt():
		var number int64
		number, err = strconv.ParseInt(text, 10, of.Bits())
		key.SetInt(number)
	case key.CanUint():
		var number uint64
		number, err = strconv.ParseUint(text, 10, of.Bits())
		key.SetUint(number)
	default:
		err = errKey
	}
	if err != nil {
		return key, errKey
	}
	return key, nil
}

// enumNumber reads a value of an enum: its name or its number.
func enumNumber(data []byte, enum protoreflect.EnumDescriptor) (protoreflect.EnumNumber, error) {
	data = bytes.TrimSpace(data)
	if bytes.Equal(data, []byte("null")) {
		return 0, nil
	}
	var name string
	if json.Unmarshal(data, &name) == nil {
		if known := enum.Values().ByName(protoreflect.Name(name)); known != nil {
			return known.Number(), nil
		}
		return 0, noEnumError("")
	}
	var number int32
	if err := json.Unmarshal(data, &number); err != nil {
		return 0, noEnumError("")
	}
	return protoreflect.EnumNumber(number), nil
}
