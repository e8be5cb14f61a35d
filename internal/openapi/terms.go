package openapi

import (
	"fmt"
	"strings"
	"time"
)

// Terms are what the contract says about calls of a method.
type Terms struct {
	Deadline time.Duration // zero for none
	Public   bool          // callers need no identity
	Callers  string        // who may call, in words
	// Availability and Latency are percentages, zero where nothing is promised; Within belongs to
	// Latency.
	Availability, Latency float64
	Within                time.Duration
}

// The names of the two ways in which a caller can prove who it is.
const (
	mutualTLS   = "mutualTLS"
	bearerToken = "bearerToken"
)

// sentences tells the terms to a reader.
func (t Terms) sentences() string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if t.Deadline > 0 {
		add("Deadline: %s.", t.Deadline)
	}
	if t.Callers != "" {
		add("Open to %s.", t.Callers)
	}
	if t.Availability > 0 {
		add("Objective: %v %% of calls do not fail by the service's fault.", t.Availability)
	}
	if t.Latency > 0 {
		add("Objective: %v %% of calls are answered within %s.", t.Latency, t.Within)
	}
	return strings.Join(lines, "\n")
}

// describe puts the terms behind a description.
func (t Terms) describe(description string) string {
	if description == "" {
		return t.sentences()
	}
	return strings.TrimSpace(description + "\n\n" + t.sentences())
}

// extend adds the terms to an operation.
func (t Terms) extend(operation object, schemes []string) object {
	if t.Deadline > 0 {
		operation = operation.with("x-timeout", t.Deadline.String())
	}
	operation = operation.with("x-callers", t.Callers)
	if t.Public {
		return append(operation, member{"security", []any{}})
	}
	var ways []any
	for _, scheme := range schemes {
		ways = append(ways, obj(scheme, []any{}))
	}
	return operation.with("security", ways) // none would say that it is open
}

// schemes are the ways in which a caller of a method can prove who it is.
func (i Info) schemes() (names []string) {
	if i.MutualTLS {
		names = append(names, mutualTLS)
	}
	if i.Bearer {
		names = append(names, bearerToken)
	}
	return names
}

func securityScheme(name string) object {
	if name == bearerToken {
		return obj("type", "http", "scheme", "bearer", "bearerFormat", "JWT")
	}
	return obj("type", "mutualTLS", "description", "A client certificate with a SPIFFE ID.")
}
