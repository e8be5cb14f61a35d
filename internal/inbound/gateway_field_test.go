package inbound_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/betmakers/paddock/internal/inbound"
)

// Where a field is the body, a body of nothing is an empty message. A field of another type stays
// unset.
func TestEmptyBodyOfField(t *testing.T) {
	for _, body := range []string{"", " \r\n\t"} {
		var message *structpb.Struct
		var text *string
		var list []*structpb.Struct
		for name, field := range map[string]any{"message": &message, "text": &text, "list": &list, "whole": new(structpb.Struct)} {
			if err := inbound.DecodeJSON(strings.NewReader(body), field); !errors.Is(err, io.EOF) {
				t.Errorf("%q, %s: got %v, want io.EOF", body, name, err)
			}
		}
		if message == nil || text != nil || list != nil {
			t.Errorf("%q: got %v, %v, %v", body, message, text, list)
		}
		given := &structpb.Struct{Fields: map[string]*structpb.Value{"path": structpb.NewStringValue("a")}}
		field := given
		if err := inbound.DecodeJSON(strings.NewReader(body), &field); !errors.Is(err, io.EOF) || field != given {
			t.Errorf("%q, of a message that the path has begun: got %v, %v", body, field, err)
		}
	}
}

// A map as a body is one whole value.
func TestMapBody(t *testing.T) {
	for body, ok := range map[string]bool{
		`{}`: true, ` {"a":"b"} `: true, `null`: true, `{"é":"b"}`: true,
		`{`: false, `{"a"`: false, `{"a":`: false, `{"a":"b"`: false, `{"a":"b",`: false, `{"a":"b",}`: false,
		`{"a":"b"}x`: false, `{"a":"b"}{}`: false, `{"a":"b","a":"c"}`: false, `[]`: false, "{\"\xff\":\"b\"}": false, "{\"a\":\"\xff\"}": false,
	} {
		var field map[string]string
		err := inbound.DecodeJSON(strings.NewReader(body), &field)
		if (err == nil) != ok {
			t.Errorf("%s: got %v, %v", body, field, err)
		}
	}
}
