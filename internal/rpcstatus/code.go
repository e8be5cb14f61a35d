package rpcstatus

import "google.golang.org/grpc/codes"

// names are those of the codes as they stand in the gRPC specification.
var names = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// Name returns the name of a code in the gRPC specification, that of UNKNOWN for a code that gRPC
// does not define.
func Name(code codes.Code) string { return names[Known(code)] }

// Known maps a code that gRPC does not define to UNKNOWN: servers may send any number.
func Known(code codes.Code) codes.Code {
	if int(code) >= len(names) {
		return codes.Unknown
	}
	return code
}
