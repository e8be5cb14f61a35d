// Package middleware gives the chassis's way of a call to a service that keeps its own main, its own
// grpc.Server and its own http.Server, and cannot move to package chassis yet.
//
// [NewServer] makes the server's half: each call has a span, metrics, one log line, panic recovery, the
// deadline and the callers that its contract declares, admission and fixed texts for errors that are not
// for callers. Three lines change in the main of such a service:
//
//	pass, err := middleware.NewServer(middleware.Config{Logger: log, Registerer: registry})
//	server := grpc.NewServer(append(pass.Options(), grpc.Creds(creds))...)
//	hellov1.RegisterHelloServiceServer(pass.Registrar(server), &hello{})
//
// [NewClient] makes the client's half, for the connections that the service opens by grpc.NewClient.
// docs/adopting.md says in which order an existing service moves over, and examples/adopt is one that did.
//
// Metrics have the names and the meaning that they have with package chassis. The health service,
// certificates, the admin port and the order of a stop are left to the service, or to packages health,
// chassis/mtls and telemetry, each of which can be used alone.
package middleware
