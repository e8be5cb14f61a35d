package chassis

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/inbound"
)

// codec encodes messages into buffers of at most twice their size. gRPC's own codec takes a
// megabyte for each message over 32 KiB and holds it until the client has read the message, so a
// client that opens all its streams and reads none would cost 750 MB. Decoding is gRPC's, but
// fails for messages over their method's limit. It is used for every content-subtype.
type codec struct {
	encoding.CodecV2
	pool mem.BufferPool
}

// bufferSizes are the powers of two of pooled buffers, from 2 KiB to 4 MiB. Larger buffers are
// not kept. Smaller messages, up to 1 KiB, are cheaper to allocate.
var bufferSizes = [...]uint8{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22}

func newCodec() (codec, error) {
	pool, err := mem.NewBinaryTieredBufferPool(bufferSizes[:]...)
	if err != nil {
		return codec{}, fmt.Errorf("chassis: buffers of messages: %w", err)
	}
	return codec{encoding.GetCodecV2(grpcproto.Name), pool}, nil
}

// Marshal encodes like gRPC's codec, with other buffers.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(proto.Message)
	if !ok {
		return c.CodecV2.Marshal(v) // of the first API, or no message at all
	}
	size := proto.Size(message)
	opts := proto.MarshalOptions{UseCachedSize: true} // it was just asked for
	if mem.IsBelowBufferPoolingThreshold(size) {
		data, err := opts.Marshal(message)
		if err != nil {
			return nil, err
		}
		return mem.BufferSlice{mem.SliceBuffer(data)}, nil
	}
	buf := c.pool.Get(size)
	if _, err := opts.MarshalAppend((*buf)[:0], message); err != nil {
		c.pool.Put(buf)
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(buf, c.pool)}, nil
}

// Unmarshal decodes like gRPC's codec, and fails for messages over their method's limit.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	to := inbound.Bound(v, data.Len())
	if to == nil {
		return nil
	}
	return c.CodecV2.Unmarshal(data, to)
}
