// Package validate checks the messages that a service receives against the protovalidate rules in
// its protos. It is a separate module, so that services without such rules do not carry the 10 MB
// that evaluate them. One line enables it:
//
//	chassis.Service{Name: "bets", Validate: validate.Must(), ...}
//
// Rules are declared in the proto; see https://protovalidate.com:
//
//	import "buf/validate/validate.proto";
//
//	message PlaceBetRequest {
//	  string market = 1 [(buf.validate.field).string.min_len = 1];
//	}
//
// Each request of a unary call and each message of a client's stream is checked before the
// handler receives it, by gRPC and REST. A message that breaks rules is answered with
// INVALID_ARGUMENT and a google.rpc.BadRequest that names the fields, such as "legs[0].stake".
// REST includes them in its problem details. The call counts as
// chassis_rpc_rejected_total{reason="invalid"}. For a client's stream the handler is already
// running: it gets the error from Recv, and the call does not count as rejected.
//
// A rule that cannot be compiled ends the start. A rule that cannot be evaluated for a message,
// such as a division by zero in CEL, is answered with INTERNAL, because the message may be valid.
//
// # Secrets
//
// Errors, for the caller and for the log, contain nothing of a debug_redact field or of a message
// in one. Rules in CEL may build texts from field values. If such a text could contain a secret,
// the error has the id of the rule instead, unless the text is a constant in the proto. Keys of
// secret maps are left out of paths.
package validate
