// Package outbound is what happens to every call that a service makes: by gRPC to another service, and by HTTP to a third
// party.
//
// Each has a span, metrics and trace headers, and less time than is left of the call within which it is made. Calls by gRPC
// are sent twice where their contract says so, requests by HTTP again where that may be done and a budget allows it.
//
// A call (call.go) and an HTTP request (http_call.go) remember what belongs to them. Budgets, hedges, attempts, traces and
// metrics have a file each, and pass.go and http.go put them in order. Of the call that is being served the package knows
// what package served says of it, and nothing else.
package outbound
