package inbound

import (
	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/served"
)

// weigh decides what the call is worth: what its method declares, unless a caller of the own trust domain says that it
// makes the call for one that is worth more, or less. By REST nobody is asked.
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
