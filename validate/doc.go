// Package validate checks the messages that a service receives against the rules of protovalidate in its protos. It is a
// module of its own, so that only services with such rules carry the 10 MB that evaluate them. One line switches it on:
//
//	chassis.Service{Name: "bets", Validate: validate.Must(), ...}
//
// with rules in the proto, as https://protovalidate.com describes them:
//
//	import "buf/validate/validate.proto";
//
//	message PlaceBetRequest {
//	  string market = 1 [(buf.validate.field).string.min_len = 1];
//	}
//
// Each request of a unary call and each message of a client's stream is checked before the handler has it, by gRPC and
// REST alike. One that breaks rules is answered with INVALID_ARGUMENT and a google.rpc.BadRequest that names the fields,
// as in "legs[0].stake"; REST shows them in its problem details. The call counts as
// chassis_rpc_rejected_total{reason="invalid"}, unless its client streams: then the handler is at work already, and gets
// the error from Recv.
//
// A rule that cannot be compiled ends the start; one that cannot be evaluated for some message, such as a division by
// zero in CEL, answers with INTERNAL: the message may be right.
//
// # Secrets
//
// What the caller and the log are told has nothing of a debug_redact field, or of a message in one. Rules in CEL may
// make texts of their own from what they look at; where that could be such a field, the caller gets the id of the rule
// instead, unless the text stands in the proto as it is. Keys of maps that are secret are left out of the path.
package validate
