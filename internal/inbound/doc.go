// Package inbound is what happens to every call on its way to a handler and back.
//
// The way is the same for gRPC and REST, for unary calls and streams. These are its steps in
// their order, each with its place in the code and the reason for its place in the order.
//
//	observe       pass.go: Serve                  span, metrics, log line, recovery: a refusal has them too
//	deadline      pass.go: begin                  the method's own, where the caller's is later or missing
//	spent         call_deadline.go: begins        a call whose time is over: nothing is cheaper to find
//	identity      identify.go: identify           certificate and token: what follows goes by the caller
//	rate limit    rate_limit.go: limitRate        for each caller, before more is done for it
//	cross-site    cross_site.go: refuseCrossSite  no other site's page calls in a user's name
//	authorize     authorize.go: authorize         the declared callers: only these wait for a place
//	admission     overload.go: waitForPlace       in an overload calls wait or are refused
//	audit         audit.go: auditBegin            recorded before it runs, once it is let in
//	faults        fault.go: withFaults            injected in the place of the handler, and seen as its
//	message       call.go: RecvMsg                read, bounded, validated: the costly part comes late
//	interceptors  wrap.go: unaryHandler           the service's own, with the message at hand
//	handler       wrap.go: unaryHandler           the service's code
//
// [Method.Serve] reads as this list, and [Steps] has it for the debug page. Tests compare the
// three. By REST, the steps from identity to authorize come before the request is read
// (decide.go), and so they do for plain HTTP (route.go). Before them, and within observe, come
// CORS and then the HTTP middleware of the service (surround.go). The interceptors of a stream run
// before its messages are read, as it reads them itself.
//
// Observe is one fused pass rather than a chain of interceptors and a stats.Handler: what depends
// on the method alone is resolved once, when the method is registered, and a call costs one
// object, which is its context, its stream and its record at the same time.
//
// # The files
//
// What a call or a request is and remembers stands at the bottom (call.go, http_call.go,
// method.go, server.go). A file for each concern has functions that work on it. On top are those
// that put them in order: pass.go for a call, http.go for an HTTP request, rest.go and gateway.go
// for REST, edge.go for what the port serves beside it, and server_serve.go and server_stop.go for
// who uses the package.
//
// Server.Wrap gives the grpc.ServiceDesc whose handlers run the pass; HTTP is its counterpart for
// plain HTTP.
package inbound
