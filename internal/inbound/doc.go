// Package inbound is what happens to every call on its way to a handler and back.
//
// The way is the same for gRPC and REST, for unary calls and streams:
//
//	observe      span, metrics, one access-log line, panic recovery, outcome   (call.go, observe.go)
//	deadline     the method's own where the caller's is later or missing      (deadline.go)
//	spent?       a call whose time is over is not begun                       (call.go)
//	identity     who calls: a certificate, a token                            (authorize.go)
//	rate limit   the operator's, for each caller                              (ratelimit.go)
//	authorize    the callers that the method declares                         (authorize.go)
//	admission    held back or refused where calls are more than can be done   (overload.go)
//	audit        recorded before it runs, where it must be                    (audit.go)
//	faults       injected on purpose                                          (fault.go)
//	message      read and validated, where the handler reads it               (call.go, validate.go)
//	interceptors those of the service, unary or stream                        (server.go)
//	handler
//
// By REST, identity, rate limit and authorize come before the request is read (decide.go), and so they do for plain
// HTTP (route.go); a browser's request for another site is refused between the two (crosssite.go).
//
// Observe is outermost, so that a call refused by anything inside it is counted and logged like any other, with the
// reason. It is one fused pass rather than a chain of interceptors and a stats.Handler: what depends on the method
// alone is resolved once, when the method is registered, and a call costs one object, which is its context, its stream
// and its record at the same time.
//
// Server.Wrap gives the grpc.ServiceDesc whose handlers run the pass; HTTP is its counterpart for plain HTTP.
package inbound
