package inbound

import (
	"errors"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A google.api.HttpBody is the body of a request or an answer itself: its bytes, under its own
// content type, in one message or in a stream of them. Its Go type is known by its methods, which
// saves a dependency.

// httpBody is a google.api.HttpBody.
type httpBody interface {
	proto.Message
	GetContentType() string
	GetData() []byte
}

const httpBodyName = "google.api.HttpBody"

func rawBody(v any) (httpBody, bool) {
	body, ok := v.(httpBody)
	return body, ok && body.ProtoReflect().Descriptor().FullName() == httpBodyName
}

// rawAnswer is rawBody also for an answer of which one field is sent.
func rawAnswer(v any) (httpBody, bool) {
	if part, ok := v.(interface{ XXX_ResponseBody() any }); ok {
		v = part.XXX_ResponseBody()
	}
	return rawBody(v)
}

// contentTypeOf is the content type of an answer. A browser would guess a missing one from the
// bytes, and might run them.
func contentTypeOf(body httpBody) string {
	if contentType := body.GetContentType(); contentType != "" {
		return contentType
	}
	return "application/octet-stream"
}

// checkRaw fails for a body that gRPC would not send, or whose content type is no header.
func checkRaw(body httpBody) error {
	contentType := body.GetContentType()
	if !utf8.ValidString(contentType) || strings.ContainsFunc(contentType, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return errors.New("the content type of an HttpBody is no header")
	}
	return nil
}

// rawPart is the size of a message of a stream of HttpBody, in bytes. A smaller part is handed on
// as it comes.
const rawPart = 32 << 10

// readRaw reads a request's body into an HttpBody: all of it, or the next part of a stream.
func (b *limitedBody) readRaw(message proto.Message) (err error) {
	b.foreign = false
	var data []byte
	if b.stream {
		data, err = b.readPart()
	} else {
		data, err = readAll(b)
	}
	if err != nil {
		return err
	}
	r := message.ProtoReflect()
	fields := r.Descriptor().Fields()
	r.Set(fields.ByName("content_type"), protoreflect.ValueOfString(b.contentType()))
	r.Set(fields.ByName("data"), protoreflect.ValueOfBytes(data))
	return nil
}

// readPart waits for at least one byte. It returns io.EOF at the end.
func (b *limitedBody) readPart() ([]byte, error) {
	data := make([]byte, rawPart)
	for {
		n, err := b.Read(data)
		switch {
		case n > 0:
			return data[:n:n], nil // an error comes again
		case err != nil:
			return nil, err
		}
	}
}

func (b *limitedBody) contentType() string {
	return strings.ToValidUTF8(b.header.Get("Content-Type"), "\uFFFD") // which no message may be without
}
