// Package middleware is what happens to every call on its way to a handler and back.
//
// The way is the same for gRPC and REST, for unary calls and streams:
//
//	observe      span, metrics, one access-log line, panic recovery, outcome   (call.go, observe.go)
//	deadline     the method's own where the caller's is later or missing      (deadline.go)
//	interceptors those of the service, unary or stream                        (server.go)
//	handler
//
// Observe is outermost, so that a call refused by anything inside it is counted and logged like any other, with the
// reason. It is one fused pass rather than a chain of interceptors and a stats.Handler: what depends on the method
// alone is resolved once, when the method is registered, and a call costs one object, which is its context, its stream
// and its record at the same time.
//
// Server.Wrap gives the grpc.ServiceDesc whose handlers run the pass; HTTP is its counterpart for plain HTTP.
package middleware
