package openapi_test

import (
	"encoding/json"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2/options"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/betmakers/paddock/internal/openapi"
)

// changed returns the document of the notes with a change of their file.
func changed(t *testing.T, change func(*descriptorpb.FileDescriptorProto)) []byte {
	t.Helper()
	file := notes(t)[0].ParentFile()
	changing := protodesc.ToFileDescriptorProto(file)
	change(changing)
	built, err := protodesc.NewFile(changing, resolver{file})
	if err != nil {
		t.Fatal(err)
	}
	var all []protoreflect.ServiceDescriptor
	for i := range built.Services().Len() {
		all = append(all, built.Services().Get(i))
	}
	doc, err := openapi.Document(info, all)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// resolver finds what a file imports.
type resolver struct{ file protoreflect.FileDescriptor }

func (r resolver) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	for i := range r.file.Imports().Len() {
		if f := r.file.Imports().Get(i); f.Path() == path {
			return f.FileDescriptor, nil
		}
	}
	return nil, protoregistry.NotFound
}

func (r resolver) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	for i := range r.file.Imports().Len() {
		f := r.file.Imports().Get(i)
		if d := f.Messages().ByName(name.Name()); d != nil && d.FullName() == name {
			return d, nil
		}
		if d := f.Enums().ByName(name.Name()); d != nil && d.FullName() == name {
			return d, nil
		}
	}
	return nil, protoregistry.NotFound
}

func messageOf(file *descriptorpb.FileDescriptorProto, name string) *descriptorpb.DescriptorProto {
	for _, m := range file.MessageType {
		if m.GetName() == name {
			return m
		}
	}
	return nil
}

func expectJSON(t *testing.T, got any, want string) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil || string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// What services have written for protoc-gen-openapiv2 is read: examples, limits, texts.
func TestAnnotationsOfTheOtherGenerator(t *testing.T) {
	doc := changed(t, func(file *descriptorpb.FileDescriptorProto) {
		note := messageOf(file, "Note")
		note.Options = new(descriptorpb.MessageOptions)
		proto.SetExtension(note.Options, options.E_Openapiv2Schema, &options.Schema{Example: `{"title": "Milk"}`})
		for field, schema := range map[string]*options.JSONSchema{
			"title":       {Example: `"Milk"`, MinLength: 1, MaxLength: 80, Pattern: "^[^ ]", Title: "Headline"},
			"size_bytes":  {Example: "not JSON", Minimum: 1.5},
			"replies":     {MaxItems: 3, Pattern: "for each"},
			"visibility":  {Description: "Who sees it."},
			"create_time": {},
		} {
			for _, f := range note.Field {
				if f.GetName() != field {
					continue
				}
				if f.Options == nil {
					f.Options = new(descriptorpb.FieldOptions)
				}
				proto.SetExtension(f.Options, options.E_Openapiv2Field, schema)
			}
		}
	})
	schema := func(keys ...any) any {
		return at(t, doc, append([]any{"components", "schemas", "notes.v1.Note"}, keys...)...)
	}
	expectJSON(t, schema("examples"), `[{"title":"Milk"}]`)
	expectJSON(t, schema("properties", "title"),
		`{"description":"At most 80 letters.","examples":["Milk"],"maxLength":80,"minLength":1,"pattern":"^[^ ]","title":"Headline","type":"string"}`)
	expectJSON(t, schema("properties", "sizeBytes"), `{"deprecated":true,"examples":["not JSON"],"format":"int64","minimum":1.5,"type":"string"}`)
	expectJSON(t, schema("properties", "replies"), `{"items":{"$ref":"#/components/schemas/notes.v1.Note"},"maxItems":3,"type":"array"}`)
	expectJSON(t, schema("properties", "visibility"), `{"$ref":"#/components/schemas/notes.v1.Visibility","description":"Who sees it."}`)
}
