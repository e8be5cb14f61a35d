package inbound

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/logline"
)

// unknownMethod refuses a call of a method that nobody registered.
func unknownMethod(c *call) error {
	c.refuse(ReasonUnknownMethod, "")
	return status.Errorf(codes.Unimplemented, "unknown method %s", logline.Truncate(c.requested()))
}

// requested returns the method that the caller named, which for an unknown one is not the record's.
func (c *call) requested() string {
	name, _ := grpc.Method(c.stream.Context())
	return name
}
