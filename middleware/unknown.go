package middleware

import (
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// unknownMethod refuses a call of a method that nobody registered.
func unknownMethod(c *call) error {
	c.refuse(ReasonUnknownMethod, "")
	return status.Errorf(codes.Unimplemented, "unknown method %s", truncate(c.requested()))
}

// requested returns the method that the caller named, which for an unknown one is not the record's.
func (c *call) requested() string {
	name, _ := grpc.Method(c.stream.Context())
	return name
}

// maxEcho bounds what of a caller's text is repeated in an answer or in a log line.
const maxEcho = 256

func truncate(s string) string {
	if len(s) <= maxEcho {
		return s
	}
	end := maxEcho
	for end > maxEcho-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end-- // half a character would be none
	}
	return s[:end] + "…"
}
