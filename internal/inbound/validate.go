package inbound

import (
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// check checks a received message against the method's own limit and its declared rules.
func check(c *call, m any) (Reason, error) {
	limit, validate := c.method.MaxRequest, c.method.server.cfg.Validate
	if limit == 0 && validate == nil {
		return "", nil
	}
	message, ok := m.(proto.Message)
	if !ok {
		return "", nil
	}
	if limit > 0 {
		if size := proto.Size(message); size > limit {
			return ReasonTooLarge, tooLarge(size, limit)
		}
	}
	if validate == nil {
		return "", nil
	}
	err := validate(message)
	if err == nil {
		return "", nil
	}
	if _, ok := status.FromError(err); !ok {
		err = status.Error(codes.InvalidArgument, err.Error())
	}
	return ReasonInvalid, err
}

func tooLarge(size, limit int) error {
	return status.Errorf(codes.ResourceExhausted, "the request has %d bytes, the method takes %d", size, limit)
}

// boundedMessage is a message that a codec asks before it decodes into it. A few bytes on the
// wire, decompressed and decoded, may take a hundred times the method's limit in memory. Codecs
// that do not ask decode into the message in it.
type boundedMessage struct {
	proto.Message
	limit, size int32 // zero for no limit; gRPC has no larger messages
	refused     bool  // it was not decoded
}

// Bound is for the Unmarshal method of a server's codec. v is the argument of Unmarshal. It
// returns the value to decode a message of size bytes into, or nil if the message is over its
// method's limit. Unmarshal must then return nil, because gRPC would turn any error into
// INTERNAL; the call is refused with RESOURCE_EXHAUSTED.
func Bound(v any, size int) any {
	b, ok := v.(*boundedMessage)
	if !ok {
		return v
	}
	b.size = int32(min(size, math.MaxInt32)) //nolint:gosec // bounded
	if b.refused = b.limit > 0 && b.size > b.limit; b.refused {
		return nil
	}
	return b.Message
}
