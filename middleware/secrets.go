package middleware

import (
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/redact"
)

// secrets are what of a call must not be read in logs and spans: the debug_redact fields of what was received, and the
// credentials of the caller. They are kept to be found again in plain text, such as that of a panic with a message in it.
// Calls without secret fields keep nothing until something is logged or fails.
type secrets struct {
	texts       atomic.Pointer[redact.Texts]
	credentials sync.Once
}

// Whether the requests of a method have secret fields.
const (
	marksUnknown int32 = iota
	marksNone
	marksSome
)

// remember takes the secrets of a message before the handler has it, as the handler may change it at any time after.
func (s *secrets) remember(m *Method, received any) {
	if m.marks.Load() == marksNone {
		return
	}
	message, ok := received.(proto.Message)
	if !ok {
		return
	}
	if m.marks.Load() == marksUnknown {
		marks := marksNone
		if redact.HasMarks(message.ProtoReflect().Descriptor()) {
			marks = marksSome
		}
		m.marks.Store(marks)
		s.remember(m, received)
		return
	}
	s.ensure().AddMessage(message)
}

func (s *secrets) ensure() *redact.Texts {
	if t := s.texts.Load(); t != nil {
		return t
	}
	s.texts.CompareAndSwap(nil, new(redact.Texts))
	return s.texts.Load()
}

// texts returns the call's secrets, nil if there are none.
func (c *call) texts() *redact.Texts {
	c.secrets.credentials.Do(func() {
		md, _ := metadata.FromIncomingContext(c.parent)
		for key, values := range md {
			if !redact.Key(key) {
				continue
			}
			for _, value := range values {
				c.secrets.ensure().Add(credentials(value)...)
			}
		}
	})
	return c.secrets.texts.Load()
}

// credentials are a header's value and its parts that are secrets by themselves: the token behind its scheme, and the
// values of cookies.
func credentials(header string) []string {
	all := []string{header}
	for part := range strings.SplitSeq(header, ";") {
		part = strings.TrimSpace(part)
		if _, value, ok := strings.Cut(part, "="); ok {
			all = append(all, strings.Trim(value, `"`))
		}
		if _, token, ok := strings.Cut(part, " "); ok {
			all = append(all, strings.TrimSpace(token))
		}
	}
	return all
}

// said is what the caller is told, for log and span: without secrets that the service has put there.
func (c *call) said(out outcome) string {
	message := out.message()
	if message == "" || c.reason != "" && c.reason != ReasonInvalid { // the chassis's own words
		return message
	}
	return c.texts().Hide(message)
}
