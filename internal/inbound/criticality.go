package inbound

import (
	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/served"
)

// weigh decides the worth of the call: the one that its method declares, unless a caller of the
// own trust domain sends another. REST callers cannot choose it.
func weigh(c *call) {
	c.place.Worth = c.method.Criticality
	if c.http != nil || !contract.InDomain(c.caller.ID, c.method.server.trustDomain) {
		return
	}
	header := metadata.ValueFromIncomingContext(c.parent, served.CriticalityHeader)
	if len(header) != 1 {
		return
	}
	switch header[0] {
	case contract.Critical.String():
		c.place.Worth = contract.Critical
	case contract.Sheddable.String():
		c.place.Worth = contract.Sheddable
	}
}
