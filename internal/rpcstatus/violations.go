package rpcstatus

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Violations returns the first field violations of a status, at most most of them, and how many
// there are beside. It finds those of a google.rpc.BadRequest of any size, of which it decodes no
// more than it returns. One that is malformed counts as far as it can be read.
func Violations(st *status.Status, most int) (violations []*errdetails.BadRequest_FieldViolation, more int) {
	for _, detail := range st.Proto().GetDetails() {
		if detail.MessageName() != "google.rpc.BadRequest" {
			continue
		}
		for value := detail.GetValue(); len(value) > 0; {
			number, kind, n := protowire.ConsumeTag(value)
			if n < 0 {
				break
			}
			size := protowire.ConsumeFieldValue(number, kind, value[n:])
			if size < 0 {
				break
			}
			field := value[n : n+size]
			value = value[n+size:]
			if number != 1 || kind != protowire.BytesType {
				continue
			}
			encoded, _ := protowire.ConsumeBytes(field)
			violation := new(errdetails.BadRequest_FieldViolation)
			if len(violations) == most || len(encoded) > maxBytes || proto.Unmarshal(encoded, violation) != nil {
				more++
				continue
			}
			violations = append(violations, violation)
		}
	}
	return violations, more
}
