// Package outbound handles every call that a service makes: by gRPC to another service, and by
// HTTP to a third party.
//
// Each call has a span, metrics and trace headers, and a deadline before that of the served call
// within which it is made. gRPC calls are hedged if their contract says so. HTTP requests are
// retried if that is allowed and a budget permits it.
//
// A call (call.go) and an HTTP request (http_call.go) have their own state. Budgets, hedges,
// attempts, traces and metrics have a file each, and pass.go and http.go put them in order. The
// package knows the served call only by the interface of package served.
package outbound
