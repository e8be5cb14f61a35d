package inbound

import (
	"regexp"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The gateway's error about a request that it cannot decode quotes the request, including secret
// fields, and its receivers log answers. These parts locate the mistake and quote nothing.
var (
	unreadableField = regexp.MustCompile(`(?:parameter: |parsing field "|field )([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)["\],: ]`)
	unreadablePlace = regexp.MustCompile(`\(line (\d+:\d+)\)`)
)

// unreadable returns the answer to a request that made no call because it could not be decoded.
func unreadable(st *status.Status) *status.Status {
	if st.Code() != codes.InvalidArgument || len(st.Details()) > 0 {
		return st
	}
	text := "the request cannot be read"
	if at := unreadablePlace.FindStringSubmatch(st.Message()); at != nil {
		text += " at line " + at[1]
	}
	if field := unreadableField.FindStringSubmatch(st.Message()); field != nil {
		text += ": the value of " + field[1] + " is none of its type"
	}
	return status.New(codes.InvalidArgument, text)
}
