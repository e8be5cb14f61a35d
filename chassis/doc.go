// Package chassis runs a gRPC and REST service with structured logs, traces, metrics, health checks, mutual TLS and a
// shutdown that loses no call: on by default, from one call.
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
// A [Service] is what its programmer describes: a name, a struct of its own settings, and Setup, which registers what
// it serves with an [App]. [Main] runs it as a process, [Run] inside one, and package chassistest in memory in a
// test.
//
// # Settings
//
// What an operator sets stands in [Config] and is read from CHASSIS_ variables; -help prints them all. Every mistake is
// reported at once, an unknown CHASSIS_ variable too, with the name that was probably meant. The values in force, with
// where each came from and without secrets, are at /debug/config. OTEL_ variables have their standard meanings.
//
// # A call's way
//
// A call by gRPC or REST runs through one pass. The steps of a call, in their order: observe, deadline, spent, identity,
// rate limit, cross-site, authorize, admission, audit, faults, message, interceptors, handler. Observe is around all the
// others, so that a refusal has its span, its metrics and its log line too. The identity that mutual TLS has proved for its caller is
// mtls.PeerID(ctx); [Draining] tells a long stream that it should end.
//
// # Errors
//
// A handler tells its caller what went wrong with an [Error], also wrapped: code, reason, fields, when to try again.
// Reasons that callers branch on are declared in the proto and made by [Reason]:
//
//	enum ErrorReason {
//		ERROR_REASON_UNSPECIFIED = 0;
//		NAME_TOO_LONG = 1 [(paddock.v1.reason) = {code: "INVALID_ARGUMENT"}];
//	}
//
//	return nil, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)
//
// By gRPC it arrives as google.rpc.Status with the standard details, by REST as problem details of RFC 9457, in the
// last line of a stream that has begun as {"error": …} with the same in it. A client in Go gets the same Error back, with [ErrorOf] or from a connection that decodes by itself, however many services
// it came through:
//
//	if errors.Is(err, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)) { …
//
// Causes and the text of wrapping stay in the process and go to the log. An error that is no status, and a panic,
// reach the caller as INTERNAL with an id, under which the log has the rest.
//
// # Secrets
//
// What is secret is hidden by the place where it stands, in every log line, span, error and debug page of the chassis:
//
//   - fields of messages that are marked with the standard option, [debug_redact = true], of any type, wherever the message
//     is logged as a value: alone, in a struct, a list, a map, an Any, or as what a handler panics with
//   - values under a secret name: headers and metadata, attributes of logs and spans, fields of structs, settings
//   - values of [Secret], and fields of [Service].Config with the tag secret:"true"
//   - user and query of a URL, as a value and in the errors of [App.HTTPClient]
//
// So log the message, and not what it holds:
//
//	log.InfoContext(ctx, "bet placed", "request", in)            // marked fields are [REDACTED] or left out
//	log.InfoContext(ctx, "bet placed", "card", in.GetCard())     // is in the log
//	return fmt.Errorf("cannot charge %v", in)                    // is in the log, and the caller gets an id
//	return status.Errorf(codes.NotFound, "no card %s", in.Card)  // is in the log, and the caller reads it
//
// What the service prints into a text is its own word, and is neither searched nor changed: the constant text of a
// log line, the peer and the method that the chassis has proved, and what a handler says stand in the log as they
// are, whatever a caller sends. A secret that the service prints is therefore in the log. Put it into a Secret as
// soon as it is read, and keep it out of errors. [github.com/betmakers/paddock/chassis/chassistest.Conformance] finds
// marked fields that a handler prints.
//
// A name is secret by its words: password, token, secret, key, auth, cookie and their like, as in DB_PASS,
// PARTNER_TOKENS, x-api-key and clientSecret, and not in TOKEN_TTL, PASSWORD_FILE, page_token and partition_key.
//
// # Calling other services
//
// [App.Dial] returns the connection to another service, which generated clients take:
//
//	conn, err := app.Dial(ctx, "wallet")
//	…
//	wallets := walletv1.NewWalletServiceClient(conn)
//
// It is the mirror of the server. This service proves its identity, and answers are taken from nobody but the wallet
// of the own trust domain. Calls go to every address of dns:///wallet:9000 in turn, or to what CHASSIS_WALLET_TARGET
// says; traces and deadlines go along. The wallet's contract, which its generated code brings, sets the deadline
// where the caller has none earlier, CHASSIS_CALL_TIMEOUT where the contract has none, and has calls that may be
// repeated sent again when the wallet is unavailable, as long as that stays few of all.
//
// # Ports
//
// gRPC listens on CHASSIS_GRPC_ADDR and takes mutual TLS alone, unless CHASSIS_MTLS is off. REST and plain HTTP of
// [App.Handle], which is as closed as a method, share CHASSIS_HTTP_ADDR. CHASSIS_ADMIN_ADDR has /livez, /readyz,
// /startupz and /metrics for anyone, and /debug for callers on the same machine, unless CHASSIS_DEBUG_LOOPBACK is
// false, or for identities that CHASSIS_DEBUG_CALLERS names.
//
// # Life and death
//
// A start takes the steps from [Configured] to [Ready], a stop those from [StopRequested] to [Stopped]; each is an
// [Event], which logs, the phase metric, the debug page and [Service].OnEvent see alike. Whatever can fail does so
// before the service asks for traffic. A stop has one deadline, CHASSIS_SHUTDOWN_TIMEOUT, and after it the calls
// still running are cut and named.
package chassis
