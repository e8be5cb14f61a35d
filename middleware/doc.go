// Package middleware adds the chassis's pass to a service that has its own main, grpc.Server and
// http.Server, and cannot move to package chassis yet.
//
// [NewServer] makes the server's half. Each call gets a span, metrics, one log line, panic
// recovery, the deadline and callers of its contract, admission, and fixed texts for internal
// errors. Three lines change in the main of the service:
//
//	pass, err := middleware.NewServer(middleware.Config{Logger: log, Registerer: registry})
//	server := grpc.NewServer(append(pass.Options(), grpc.Creds(creds))...)
//	hellov1.RegisterHelloServiceServer(pass.Registrar(server), &hello{})
//
// [NewClient] makes the client's half, for connections of grpc.NewClient. docs/adopting.md
// describes the order in which an existing service moves over, and examples/adopt is an example.
//
// Metrics have the same names and meanings as with package chassis. The service itself provides
// the health service, certificates, the admin port and the order of its stop. Packages health,
// chassis/mtls and telemetry can be used alone for these.
package middleware
