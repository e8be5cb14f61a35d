package chassis

import (
	"io"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/openapi"
)

// jsonMarshaler is the gateway's own JSON, without its second scan of a request that can be read as a whole.
type jsonMarshaler struct{ gateway.JSONPb }

func newJSONMarshaler() *jsonMarshaler {
	return &jsonMarshaler{gateway.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{EmitDefaultValues: true},
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
	}}
}

// StreamContentType names what a streamed answer is: one JSON value a line.
func (*jsonMarshaler) StreamContentType(any) string { return openapi.StreamContentType }

// Marshal returns a message without the copy of the gateway's.
func (m *jsonMarshaler) Marshal(v any) ([]byte, error) {
	if message, ok := v.(proto.Message); ok {
		return m.MarshalOptions.Marshal(message)
	}
	return m.JSONPb.Marshal(v)
}

// NewDecoder returns a decoder for one request. A body of known length holds one value and is read at once; others may
// be streams of values and are read as they come.
func (m *jsonMarshaler) NewDecoder(r io.Reader) gateway.Decoder {
	body, ok := r.(interface{ Len() (int, bool) })
	if !ok {
		return m.JSONPb.NewDecoder(r)
	}
	length, known := body.Len()
	if !known {
		return m.JSONPb.NewDecoder(r)
	}
	return gateway.DecoderFunc(func(v any) error { return m.decodeWhole(r, length, v) })
}

func (m *jsonMarshaler) decodeWhole(r io.Reader, length int, v any) error {
	message, ok := v.(proto.Message)
	if !ok {
		return m.JSONPb.NewDecoder(r).Decode(v)
	}
	body := make([]byte, length)
	if n, err := io.ReadFull(r, body); err != nil {
		if n == 0 && err == io.EOF {
			return io.EOF // no body: the gateway takes it for an empty message
		}
		return err
	}
	return m.UnmarshalOptions.Unmarshal(body, message)
}
