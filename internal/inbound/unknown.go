package inbound

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/logline"
)

// unknownMethod refuses a call of an unregistered method.
func unknownMethod(c *call) error {
	c.refuse(ReasonUnknownMethod, "")
	return status.Errorf(codes.Unimplemented, "unknown method %s", logline.Truncate(c.requested()))
}
