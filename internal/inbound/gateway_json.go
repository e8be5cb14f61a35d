package inbound

import (
	"context"
	"encoding/json"
	"strings"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/openapi"
)

// jsonMarshaler writes answers and reads requests for the gateway: JSON as protobuf defines it, and
// the bytes of a google.api.HttpBody.
type jsonMarshaler struct {
	gateway.JSONPb
	enums     enumNames
	delimiter []byte // between the messages of a stream; its address tells it from a message
}

func newJSONMarshaler() *jsonMarshaler {
	return &jsonMarshaler{
		JSONPb: gateway.JSONPb{
			MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true},
			// Required fields may come from the path: restStream checks them.
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true, AllowPartial: true},
		},
		delimiter: []byte("\n"),
	}
}

// ContentType names what an answer is.
func (*jsonMarshaler) ContentType(v any) string {
	if body, ok := rawAnswer(v); ok {
		return contentTypeOf(body)
	}
	return "application/json"
}

// StreamContentType names what a streamed answer is: one JSON value a line, or raw bytes.
func (*jsonMarshaler) StreamContentType(v any) string {
	if body, ok := rawAnswer(v); ok {
		return contentTypeOf(body)
	}
	return openapi.StreamContentType
}

// Delimiter is what the gateway writes behind each message of a stream.
func (m *jsonMarshaler) Delimiter() []byte { return m.delimiter }

// encode encodes an answer while its call runs. It returns nil for an HttpBody, which is sent as
// it is.
func (m *jsonMarshaler) encode(answer proto.Message) ([]byte, error) {
	if body, ok := rawBody(answer); ok {
		return nil, checkRaw(body)
	}
	return m.MarshalOptions.Marshal(answer)
}

// alreadyEncoded returns the result of encode to the gateway, and an HttpBody also where it is one
// field of the answer.
func (m *jsonMarshaler) alreadyEncoded(ctx context.Context, answer proto.Message) (any, error) {
	if encoded := encodedFor(ctx, answer); encoded != nil {
		return json.RawMessage(encoded), nil
	}
	if body, ok := rawAnswer(answer); ok {
		if h := httpCallFrom(ctx); h != nil {
			h.raw = &m.delimiter[0]
		}
		return body, nil
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
	if line, ok := v.(map[string]any); ok {
		if result, ok := line["result"]; ok && len(line) == 1 {
			encoded, err := m.Marshal(result)
			if err != nil {
				return nil, err
			}
			return json.Marshal(map[string]json.RawMessage{"result": encoded})
		}
	}
	if message, ok := v.(proto.Message); ok {
		return m.message(message)
	}
	return m.field(v)
}

func (m *jsonMarshaler) message(message proto.Message) ([]byte, error) {
	if body, ok := rawBody(message); ok {
		return body.GetData(), nil
	}
	if r := message.ProtoReflect(); !r.IsValid() && strings.HasPrefix(string(r.Descriptor().FullName()), "google.protobuf.") {
		return []byte("null"), nil // an empty one of these may have no JSON
	}
	return m.MarshalOptions.Marshal(message)
}
