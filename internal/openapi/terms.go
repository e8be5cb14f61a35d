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
	// Availability and Latency are percentages, zero where nothing is promised; Within belongs to Latency.
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
func (t Terms) extend(operation object, bearer bool) object {
	if t.Deadline > 0 {
		operation = operation.with("x-timeout", t.Deadline.String())
	}
	operation = operation.with("x-callers", t.Callers)
	if t.Public {
		return append(operation, member{"security", []any{}})
	}
	return append(operation, member{"security", schemesIn(bearer)})
}

func schemesIn(bearer bool) []any {
	schemes := []any{obj(mutualTLS, []any{})}
	if bearer {
		schemes = append(schemes, obj(bearerToken, []any{}))
	}
	return schemes
}

func securitySchemes(bearer bool) object {
	schemes := obj(mutualTLS, obj("type", "mutualTLS", "description", "A client certificate with a SPIFFE ID."))
	if bearer {
		schemes = append(schemes, member{bearerToken, obj("type", "http", "scheme", "bearer", "bearerFormat", "JWT")})
	}
	return schemes
}
