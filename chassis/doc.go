// Package chassis runs a gRPC and REST service with structured logs, traces, metrics, health
// checks, mutual TLS and a graceful shutdown. All of them are on by default.
//
//	func main() {
//		chassis.Main(context.Background(), chassis.Service{
//			Name: "hello",
//			Setup: func(ctx context.Context, app *chassis.App) error {
//				hellov1.RegisterHelloServiceServer(app, &server{})
//				app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
//				return nil
//			},
//		})
//	}
//
// # A service
//
// A [Service] is a name, a struct of the service's own settings, and Setup, which registers
// servers, handlers and workers with an [App]. [Main] runs the service as a process, [Run] runs
// it inside one, and package chassistest runs it in memory for a test.
//
// # Settings
//
// Operators configure a service by the CHASSIS_ variables of [Config]; -help lists them. The
// start reports all mistakes at once, including unknown CHASSIS_ variables, and suggests the name
// that was probably meant. /debug/config shows the values in force and where each came from,
// without secrets. OTEL_ variables have their standard meanings.
//
// # A call's way
//
// gRPC and REST calls run through the same pass. The steps of a call, in their order: observe,
// deadline, spent, identity, rate limit, cross-site, authorize, admission, audit, faults,
// message, interceptors, handler. Observe encloses the other steps, so a refused call has its
// span, metrics and log line too.
//
// [CallerOf] returns the identity that the caller has proved. [Draining] returns the channel that
// ends long streams when the service stops.
//
// # Errors
//
// A handler returns an [Error], alone or wrapped, to send its caller a code, a reason, the faulty
// fields and the time to wait before another attempt. Declare reasons that callers branch on in
// the proto, and make the error with [Reason]:
//
//	enum ErrorReason {
//		ERROR_REASON_UNSPECIFIED = 0;
//		NAME_TOO_LONG = 1 [(paddock.v1.reason) = {code: "INVALID_ARGUMENT"}];
//	}
//
//	return nil, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)
//
// The error reaches its caller in one of three forms:
//
//   - by gRPC, as google.rpc.Status with the standard details
//   - by REST, as problem details of RFC 9457
//   - by REST in a stream that has begun, as the last line, {"error": …}, with the same content
//
// A Go client gets the same Error back, even after several services have forwarded it: from a
// connection of [App.Dial], or by [ErrorOf].
//
//	if errors.Is(err, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)) { …
//
// The cause and the text of wrapping errors go to the log and never to the caller. For a panic,
// and for an error that has no status, the caller gets INTERNAL and an id; the log has the
// details under the same id.
//
// # Secrets
//
// The chassis hides these values in all its log lines, spans, errors and debug pages:
//
//   - fields of messages with the standard option [debug_redact = true], of any type, wherever
//     the message is logged as a value: alone, in a struct, a list, a map, an Any, or as the
//     value of a panic
//   - values under a secret name: headers and metadata, attributes of logs and spans, fields of
//     structs, settings
//   - values of [Secret], and fields of [Service].Config with the tag secret:"true"
//   - user and query of a URL, as a value and in the errors of [App.HTTPClient]
//
// So log the message and not its fields:
//
//	log.InfoContext(ctx, "placed", "request", in)                // marked fields are hidden
//	log.InfoContext(ctx, "placed", "card", in.GetCard())         // is in the log
//	return fmt.Errorf("cannot charge %v", in)                    // is in the log
//	return status.Errorf(codes.NotFound, "no card %s", in.Card)  // the caller reads it
//
// Text that the service formats itself is neither searched nor changed, so a secret in it is
// logged. Put a secret into a [Secret] as soon as it is read, and keep it out of errors.
// [github.com/betmakers/paddock/chassis/chassistest.Conformance] finds handlers that print marked
// fields. The constant text of a log line, and the peer and the method that the chassis has
// verified, are logged unchanged, whatever a caller sends.
//
// A name is secret if one of its words is: password, token, secret, key, auth, cookie and
// similar. DB_PASS, PARTNER_TOKENS, x-api-key and clientSecret are secret; TOKEN_TTL,
// PASSWORD_FILE, page_token and partition_key are not.
//
// # Calling other services
//
// [App.Dial] returns the connection to another service, for its generated client:
//
//	conn, err := app.Dial(ctx, "wallet")
//	…
//	wallets := walletv1.NewWalletServiceClient(conn)
//
// The connection is the mirror of the server:
//
//   - This service proves its identity, and accepts only the wallet of its own trust domain as
//     the server.
//   - Calls are spread over all addresses of dns:///wallet:9000, or of the target in
//     CHASSIS_WALLET_TARGET.
//   - Traces and deadlines are passed on.
//   - The wallet's contract, which is part of its generated code, sets the deadline of a call
//     unless the caller has an earlier one. CHASSIS_CALL_TIMEOUT applies where the contract sets
//     none.
//   - Calls that the contract allows to repeat are retried when the wallet is unavailable, as
//     long as retries are a small share of all calls.
//
// # Ports
//
//   - CHASSIS_GRPC_ADDR serves gRPC, and accepts only mutual TLS unless CHASSIS_MTLS is off.
//   - CHASSIS_HTTP_ADDR serves REST and the handlers of [App.Handle], which need authorization
//     like methods.
//   - CHASSIS_ADMIN_ADDR serves /livez, /readyz, /startupz and /metrics to every client. It
//     serves /debug to clients on the same machine, unless CHASSIS_DEBUG_LOOPBACK is false, and
//     to the identities in CHASSIS_DEBUG_CALLERS.
//
// # Start and stop
//
// A start takes the steps from [Configured] to [Ready], a stop those from [StopRequested] to
// [Stopped]. Each step is an [Event], which the log, the phase metric, the debug page and
// [Service].OnEvent receive alike. Steps that can fail come before the service reports that it is
// ready. A stop has one deadline, CHASSIS_SHUTDOWN_TIMEOUT. Calls that run longer are cut, and
// the error names them.
package chassis
