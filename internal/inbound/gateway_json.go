package inbound

import (
	"context"
	"encoding/json"
	"io"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/openapi"
)

// jsonMarshaler is the gateway's JSON without its second scan of a request that can be read as a
// whole.
type jsonMarshaler struct{ gateway.JSONPb }

func newJSONMarshaler() *jsonMarshaler {
	return &jsonMarshaler{gateway.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{EmitDefaultValues: true},
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
	}}
}

// StreamContentType names what a streamed answer is: one JSON value a line.
func (*jsonMarshaler) StreamContentType(any) string { return openapi.StreamContentType }

// encode encodes an answer while its call runs. HttpBody has no JSON form in a stream: the
// gateway sends its data.
func (m *jsonMarshaler) encode(answer proto.Message) ([]byte, error) {
	if answer.ProtoReflect().Descriptor().FullName() == "google.api.HttpBody" {
		return nil, nil
	}
	return m.MarshalOptions.Marshal(answer)
}

// alreadyEncoded returns the result of encode to the gateway.
func alreadyEncoded(ctx context.Context, answer proto.Message) (any, error) {
	if encoded := encodedFor(ctx, answer); encoded != nil {
		return json.RawMessage(encoded), nil
	}
	return answer, nil
}

// Marshal returns a message without the copy of the gateway's.
func (m *jsonMarshaler) Marshal(v any) ([]byte, error) {
	if encoded, ok := v.(json.RawMessage); ok {
		return encoded, nil
	}
	if result, ok := v.(map[string]any); ok {
		if event, ok := result["result"].(eventText); ok {
			return event, nil
		}
	}
	if line, ok := v.(map[string]proto.Message); ok { // of a failing stream: see streamError
		if st, ok := line["error"].(*statuspb.Status); ok && json.Valid([]byte(st.GetMessage())) {
			return json.Marshal(map[string]json.RawMessage{"error": json.RawMessage(st.GetMessage())})
		}
	}
	if message, ok := v.(proto.Message); ok {
		return m.MarshalOptions.Marshal(message)
	}
	return m.JSONPb.Marshal(v)
}

// NewDecoder returns a decoder for one request. A body of known length holds one value and is
// read at once; others may be streams of values and are read as they come.
func (m *jsonMarshaler) NewDecoder(r io.Reader) gateway.Decoder {
	body, ok := r.(*limitedBody)
	if !ok {
		return m.JSONPb.NewDecoder(r)
	}
	var decode gateway.DecoderFunc
	if length, known := body.len(); known {
		decode = func(v any) error { return m.decodeWhole(r, length, v) }
	} else {
		decode = m.JSONPb.NewDecoder(r).Decode
	}
	return gateway.DecoderFunc(func(v any) error {
		err := decode(v)
		if err != nil && err != io.EOF { //nolint:errorlint // decoders return the value itself
			body.unreadable()
		}
		return err
	})
}

func (m *jsonMarshaler) decodeWhole(r io.Reader, length int, v any) error {
	message, ok := v.(proto.Message)
	if !ok {
		return m.JSONPb.NewDecoder(r).Decode(v)
	}
	body, err := readWhole(r, length)
	if err != nil {
		return err
	}
	return m.UnmarshalOptions.Unmarshal(body, message)
}

// firstPart is the size of the first allocation for a body, in bytes.
const firstPart = 4 << 10

// readWhole reads length bytes. Its allocations grow with the received data, because length is
// only the caller's claim. It returns io.EOF for an empty body, which the gateway treats as an
// empty message.
func readWhole(r io.Reader, length int) ([]byte, error) {
	if length == 0 {
		return nil, io.EOF
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
