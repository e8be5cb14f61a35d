package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "google.golang.org/genproto/googleapis/api/annotations" // google.api.http in descriptors

	_ "github.com/betmakers/paddock/proto/paddock/v1" // paddock.v1.method in descriptors
)

// Generated code has the descriptor of its file as bytes, in which texts stand behind their
// lengths. So it is decoded, renamed and encoded again, just as protoc-gen-go writes it: then a
// service is made without its plugins, and make generate changes nothing afterwards.
var rawDescriptor = regexp.MustCompile(`(?m)^(const \w+_rawDesc = "" \+\n)((?:\t".*"(?: \+)?\n)+)`)

// renameGenerated is rename for a file of generated Go code.
func renameGenerated(source string, rename *strings.Replacer) (string, error) {
	found := rawDescriptor.FindStringSubmatchIndex(source)
	if found == nil {
		return rename.Replace(source), nil
	}
	raw, err := unquoteLines(source[found[4]:found[5]])
	if err != nil {
		return "", err
	}
	if raw, err = renameDescriptor(raw, rename); err != nil {
		return "", err
	}
	return rename.Replace(source[:found[4]]) + quoteLines(raw) + rename.Replace(source[found[5]:]), nil
}

func unquoteLines(lines string) (raw []byte, err error) {
	for line := range strings.Lines(lines) {
		text, err := strconv.Unquote(strings.TrimSuffix(strings.TrimSpace(line), " +"))
		if err != nil {
			return nil, fmt.Errorf("line %q of a descriptor: %w", line, err)
		}
		raw = append(raw, text...)
	}
	return raw, nil
}

// quoteLines is what protoc-gen-go does: a literal ends behind each line feed.
func quoteLines(raw []byte) string {
	var b strings.Builder
	for len(raw) > 0 {
		n := len(raw)
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			n = i + 1
		}
		b.WriteString("\t" + strconv.Quote(string(raw[:n])))
		if raw = raw[n:]; len(raw) > 0 {
			b.WriteString(" +")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func renameDescriptor(raw []byte, rename *strings.Replacer) ([]byte, error) {
	file := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(raw, file); err != nil {
		return nil, fmt.Errorf("decoding a descriptor: %w", err)
	}
	encode := proto.MarshalOptions{Deterministic: true}
	if same, err := encode.Marshal(file); err != nil || !bytes.Equal(same, raw) {
		return nil, errors.Join(errors.New("a descriptor is not encoded as it was decoded"), err)
	}
	renameMessage(file.ProtoReflect(), rename)
	return encode.Marshal(file)
}

func renameMessage(m protoreflect.Message, rename *strings.Replacer) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap(): // descriptors have none
		case field.IsList():
			list := value.List()
			for i := range list.Len() {
				list.Set(i, renameValue(field, list.Get(i), rename))
			}
		default:
			if renamed := renameValue(field, value, rename); field.Kind() == protoreflect.StringKind {
				m.Set(field, renamed)
			}
		}
		return true
	})
}

// renameValue returns a renamed text, and renames a message where it is.
func renameValue(field protoreflect.FieldDescriptor, value protoreflect.Value, rename *strings.Replacer) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rename.Replace(value.String()))
	case protoreflect.MessageKind:
		renameMessage(value.Message(), rename)
	}
	return value
}
