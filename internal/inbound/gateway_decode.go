package inbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"
)

// NewDecoder returns a decoder for one request. A body is one value, however it is framed, and that
// of a client's stream is one value after the other. An error quotes nothing of the body.
func (m *jsonMarshaler) NewDecoder(r io.Reader) gateway.Decoder {
	d := &bodyDecoder{marshaler: m, reader: r}
	if body, ok := r.(*limitedBody); ok { // that of a PATCH was read already
		d.body = body
		if body.stream {
			d.values = json.NewDecoder(r)
		}
	}
	return d
}

// bodyDecoder decodes the body of one request.
type bodyDecoder struct {
	marshaler *jsonMarshaler
	reader    io.Reader
	body      *limitedBody  // the same, nil for another
	values    *json.Decoder // of a stream
	count     int           // values of it, so far
}

func (d *bodyDecoder) Decode(v any) error {
	err := d.decode(v)
	if err == nil || err == io.EOF { //nolint:errorlint // decoders return the value itself
		return err
	}
	err = errors.New(unreadableText(err.Error(), d.count, nil)) // the gateway logs it, and makes a status of its text
	if d.body != nil {
		d.body.unreadable(err)
	}
	return err
}

func (d *bodyDecoder) decode(v any) error {
	if d.body != nil {
		if message, raw := rawTarget(v); raw {
			return d.body.readRaw(message)
		}
	}
	if d.values == nil {
		return d.marshaler.decodeWhole(d.reader, v)
	}
	d.count++
	var value json.RawMessage
	if err := d.values.Decode(&value); err != nil {
		return err
	}
	return d.marshaler.Unmarshal(value, v)
}

// rawTarget returns the HttpBody that v, the argument of a decoder, is or points to.
func rawTarget(v any) (proto.Message, bool) {
	if message, ok := v.(proto.Message); ok {
		_, raw := rawBody(message)
		return message, raw
	}
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.Type().Elem().Kind() != reflect.Pointer {
		return nil, false
	}
	field := target.Elem()
	if _, raw := rawBody(field.Interface()); !raw {
		return nil, false
	}
	if field.IsNil() {
		field.Set(reflect.New(field.Type().Elem()))
	}
	message, ok := field.Interface().(proto.Message)
	return message, ok
}

// decodeWhole decodes a body of one value. A body without one is an empty message, also where it is
// a field, for which the gateway has io.EOF.
func (m *jsonMarshaler) decodeWhole(r io.Reader, v any) error {
	data, err := readAll(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 {
		setEmpty(v)
		return io.EOF
	}
	return m.Unmarshal(data, v)
}

// Unmarshal decodes one value into a message, or into what a field of one points to.
func (m *jsonMarshaler) Unmarshal(data []byte, v any) error {
	if message, ok := v.(proto.Message); ok {
		return m.unmarshal(data, message)
	}
	return m.intoField(data, v)
}

// unmarshal refuses unknown names of enums, which protojson ignores with unknown fields. Where
// there are no unknown fields, it costs nothing to find that there are no such names.
func (m *jsonMarshaler) unmarshal(data []byte, message proto.Message) error {
	if !m.enums.within(message.ProtoReflect().Descriptor()) {
		return m.UnmarshalOptions.Unmarshal(data, message)
	}
	strict := m.UnmarshalOptions
	strict.DiscardUnknown = false
	if strict.Unmarshal(data, message) == nil {
		return nil
	}
	if err := m.UnmarshalOptions.Unmarshal(data, message); err != nil {
		return err
	}
	return unknownEnum(data, message.ProtoReflect().Descriptor())
}

// firstPart is the size of the first allocation for a body, in bytes.
const firstPart = 4 << 10

// readAll reads a body to its end. Its allocations grow with the received data, because an
// announced length is only the caller's claim.
func readAll(r io.Reader) ([]byte, error) {
	body, ok := r.(*limitedBody)
	if !ok {
		return io.ReadAll(r)
	}
	length, known := body.len()
	if !known {
		return io.ReadAll(r)
	}
	return readWhole(body, length)
}

// readWhole reads length bytes.
func readWhole(r io.Reader, length int) ([]byte, error) {
	if length == 0 {
		return nil, nil
	}
	body := make([]byte, min(length, firstPart))
	for read := 0; ; {
		n, err := io.ReadFull(r, body[read:])
		if read += n; err == io.EOF && read > 0 {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil || read == length {
			return body, err
		}
		more := make([]byte, min(2*read, length))
		copy(more, body)
		body = more
	}
}
