// Package chassis runs a gRPC and REST service with structured logs, traces, metrics, health checks, mutual TLS and a
// shutdown that loses no call: on by default, from one call.
//
//	func main() {
//		chassis.Main(context.Background(), chassis.Service{
//			Name: "hello",
//			Setup: func(ctx context.Context, app *chassis.App) error {
//				hellov1.RegisterHelloServiceServer(app, &server{})
//				return app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
//			},
//		})
//	}
//
// # A service
//
// A [Service] is what its programmer describes: a name, a struct of its own settings, and Setup, which registers what it
// serves with an [App]. [Main] runs it as a process, [Run] inside one, and package chassistest in memory in a test.
//
// # Settings
//
// What an operator sets stands in [Config] and is read from CHASSIS_ variables; -help prints them all. Every mistake is
// reported at once, an unknown CHASSIS_ variable too, with the name that was probably meant. The values in force, with
// where each came from and without secrets, are at /debug/config. OTEL_ variables have their standard meanings.
//
// # A call's way
//
// A call by gRPC or REST runs through package middleware: its span, metrics, log line, panic recovery and deadline, and
// then the service's own interceptors and handler. The identity that mutual TLS has proved for its caller is
// mtls.PeerID(ctx); [Draining] tells a long stream that it should end.
//
// # Ports
//
// gRPC listens on CHASSIS_GRPC_ADDR and takes mutual TLS alone, unless CHASSIS_MTLS is off. REST and plain HTTP of
// [App.Handle] share CHASSIS_HTTP_ADDR. CHASSIS_ADMIN_ADDR has /livez, /readyz, /startupz and /metrics for anyone, and
// /debug for callers on the same machine or for identities that CHASSIS_DEBUG_CALLERS names.
//
// # Life and death
//
// A start takes the steps from [Configured] to [Ready], a stop those from [StopRequested] to [Stopped]; each is an
// [Event], which logs, the phase metric, the debug page and [Service].OnEvent see alike. Whatever can fail does so before
// the service asks for traffic. A stop has one deadline, CHASSIS_SHUTDOWN_TIMEOUT, and after it the calls still running
// are cut and named.
package chassis
