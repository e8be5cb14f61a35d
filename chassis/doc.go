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
// # Errors
//
// A handler tells its caller what went wrong with an [Error], also wrapped: code, reason, fields, when to try again. Reasons
// that callers branch on are declared in the proto and made by [Reason]:
//
//	enum ErrorReason {
//		ERROR_REASON_UNSPECIFIED = 0;
//		NAME_TOO_LONG = 1 [(paddock.v1.reason) = {code: "INVALID_ARGUMENT"}];
//	}
//
//	return nil, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)
//
// By gRPC it arrives as google.rpc.Status with the standard details, by REST as problem details of RFC 9457. A client in Go
// gets the same Error back, with [ErrorOf] or from a connection that decodes by itself, however many services it came
// through:
//
//	if errors.Is(err, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)) { …
//
// Causes and the text of wrapping stay in the process and go to the log. An error that is no status, and a panic, reach the
// caller as INTERNAL with an id, under which the log has the rest.
//
// # Secrets
//
// Fields of messages that are marked with the standard option, [debug_redact = true], credentials in headers, settings with
// a secret name or tag and values of [Secret] appear in no log, span, metric, error or debug page; in log lines with the
// context of the call (slog's InfoContext and its like) and in the texts of panics and errors also where a handler has
// printed them into a plain string. What the chassis cannot know is not hidden: a secret in a plain string that is logged
// without the call's context, that was changed before it was printed, that has fewer than four characters, or that the
// handler got elsewhere, as from a database; what a handler puts into a span under a name that is not secret, into the name
// of a metric or into a request path that no route matches, which the log has. A plain HTTP handler of [App.Handle] has no
// message: its panics are logged as they are. Hold such values in a Secret.
//
// # Calling other services
//
// [App.Dial] returns the connection to another service, which generated clients take:
//
//	conn, err := app.Dial(ctx, "wallet")
//	…
//	wallets := walletv1.NewWalletServiceClient(conn)
//
// It is the mirror of the server. This service proves its identity, and answers are taken from nobody but the wallet of the
// own trust domain. Calls go to every address of dns:///wallet:9000 in turn, or to what CHASSIS_WALLET_TARGET says; traces and
// deadlines go along. The wallet's contract, which its generated code brings, sets the deadline where the caller has none
// earlier, CHASSIS_CALL_TIMEOUT where the contract has none, and has calls that may be repeated sent again when the wallet is
// unavailable, as long as that stays few of all.
//
// # Ports
//
// gRPC listens on CHASSIS_GRPC_ADDR and takes mutual TLS alone, unless CHASSIS_MTLS is off. REST and plain HTTP of
// [App.Handle] share CHASSIS_HTTP_ADDR. CHASSIS_ADMIN_ADDR has /livez, /readyz, /startupz and /metrics for anyone, and
// /debug for callers on the same machine, unless CHASSIS_DEBUG_LOOPBACK is false, or for identities that
// CHASSIS_DEBUG_CALLERS names.
//
// # Life and death
//
// A start takes the steps from [Configured] to [Ready], a stop those from [StopRequested] to [Stopped]; each is an
// [Event], which logs, the phase metric, the debug page and [Service].OnEvent see alike. Whatever can fail does so before
// the service asks for traffic. A stop has one deadline, CHASSIS_SHUTDOWN_TIMEOUT, and after it the calls still running
// are cut and named.
package chassis
