package inbound_test

import (
	"bytes"
	"io"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/betmakers/paddock/internal/inbound"
)

// A path means the same in its plain form: the same text, and the same segments.
func FuzzPlainPath(f *testing.F) {
	for _, path := range []string{"/a%2Fb", "/%25", "/%252F", "/a%3Ab:c", "/%C3%A9", "/%", "/%2", "/%zz", "/a%3F%23"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		want, err := url.PathUnescape(path)
		if err != nil {
			return
		}
		plain := inbound.PlainPath(path)
		if got, err := url.PathUnescape(plain); err != nil || got != want {
			t.Errorf("%q became %q, which is %q, %v; want %q", path, plain, got, err, want)
		}
		for _, c := range []string{"/", ":"} {
			if strings.Count(plain, c) != strings.Count(path, c) {
				t.Errorf("%q became %q, with another number of %s", path, plain, c)
			}
		}
		if again := inbound.PlainPath(plain); again != plain {
			t.Errorf("%q became %q and then %q", path, plain, again)
		}
	})
}

// What protojson reads without unknown fields is read as by it, and what is refused beyond it is
// refused for a name alone.
func FuzzJSONBody(f *testing.F) {
	for _, body := range []string{
		`{"name":"a","type":"TYPE_BOOL"}`, `{"type":"TYPE_Z"}`, `{"type":1,"new":[{"type":"x"}]}`, `{"options":{"ctype":"CORD","new":1}}`,
		`{"options":{"uninterpretedOption":[{"name":[{"namePart":"a","isExtension":true}]}]}}`, " \n", `{}x`, `{"options":{"editionDefaults":[{"edition":"E"}]}}`, `[`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, strict, lenient := new(descriptorpb.FieldDescriptorProto), new(descriptorpb.FieldDescriptorProto), new(descriptorpb.FieldDescriptorProto)
		err := inbound.DecodeJSON(bytes.NewReader(body), got)
		ok := protojson.UnmarshalOptions{AllowPartial: true}.Unmarshal(body, strict) == nil
		known := protojson.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true}.Unmarshal(body, lenient) == nil
		switch {
		case err == io.EOF:
			if len(bytes.TrimSpace(body)) > 0 {
				t.Errorf("%q is taken for nothing", body)
			}
		case ok && (err != nil || !proto.Equal(got, strict)):
			t.Errorf("%q: got %v, %v, want %v", body, got, err, strict)
		case err == nil && (!known || !proto.Equal(got, lenient)):
			t.Errorf("%q: got %v, want %v", body, got, lenient)
		case err != nil && known && !strings.HasSuffix(err.Error(), " is no name of its enum"):
			t.Errorf("%q: %v, want it read", body, err)
		case err != nil && !strings.HasPrefix(err.Error(), "the request cannot be read"):
			t.Errorf("%q: %v", body, err)
		}
	})
}
