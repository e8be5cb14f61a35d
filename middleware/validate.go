package middleware

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// check holds a message that was received to the method's own limit and to the rules declared for it.
func (c *call) check(m any) (Reason, error) {
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
			return ReasonTooLarge, status.Errorf(codes.ResourceExhausted, "the request has %d bytes, the method takes %d", size, limit)
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
