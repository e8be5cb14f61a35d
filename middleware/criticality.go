package middleware

import "github.com/betmakers/paddock/internal/contract"

// criticalityKey is the metadata in which the worth of a call travels on: "critical" or "sheddable", and nothing for a
// normal one.
const criticalityKey = "paddock-criticality"

// criticality is what the call is worth under overload.
func (c *call) criticality() contract.Criticality { return c.method.Criticality }
