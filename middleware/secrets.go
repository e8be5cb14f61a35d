package middleware

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
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
		md, _ := metadata.FromIncomingContext(c.values())
		for key, values := range md {
			if !redact.SecretName(key) {
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
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < shortestCredential })
}

// shortestCredential is the length from which a credential is looked for: less is none, or is found in any text.
const shortestCredential = 8

// clean returns the service's status without secrets of the call that it has in its texts: answers get logged by those
// who receive them.
func (c *call) clean(st *status.Status) *status.Status {
	if reason := c.reason(); reason != "" && reason != ReasonInvalid {
		return st // the chassis's own words
	}
	texts := c.texts()
	if texts == nil {
		return st
	}
	p := st.Proto() // a copy
	texts.HideInMessage(p)
	return status.FromProto(p)
}
