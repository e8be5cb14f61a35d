package inbound

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// explainDeadline records, for operators, which deadline has ended a call.
func explainDeadline(c *call, out outcome) {
	if out.code == codes.DeadlineExceeded && c.reason() == "" && c.Err() != nil {
		c.note(whichDeadline(c))
	}
}

func whichDeadline(c *call) string {
	limit := c.method.Timeout
	if s := restOf(c.stream); s != nil && s.limit > 0 {
		limit = s.limit
	}
	byTransport := c.parent.Value(boundedKey{}) != nil
	switch {
	case !byTransport && (c.deadline.after <= 0 || c.deadline.after != limit):
		return "the caller's deadline"
	case c.method.OwnTimeout:
		return "the method's timeout of " + limit.String()
	case limit != c.method.Timeout:
		return "the timeout of calls by REST whose method declares none, " + limit.String()
	default:
		return "the timeout of methods that declare none, " + limit.String()
	}
}

// begins refuses a call whose deadline has passed or whose caller has gone, before its work
// begins.
func begins(c *call) error {
	err := c.parent.Err()
	if err == nil {
		return nil
	}
	c.refuse(ReasonDeadline, "")
	return status.FromContextError(err).Err()
}
