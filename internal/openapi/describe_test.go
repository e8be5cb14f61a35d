package openapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// commented adds a comment to the declaration at a path of its file.
func commented(file *descriptorpb.FileDescriptorProto, text string, path ...int32) {
	for _, l := range file.SourceCodeInfo.Location {
		if slices.Equal(l.Path, path) {
			l.LeadingComments = proto.String(text)
			return
		}
	}
	file.SourceCodeInfo.Location = append(file.SourceCodeInfo.Location, &descriptorpb.SourceCodeInfo_Location{
		Path: path, Span: []int32{0, 0, 0}, LeadingComments: proto.String(text),
	})
}

func descriptionOf(t *testing.T, value any) string {
	t.Helper()
	text, _ := value.(map[string]any)["description"].(string)
	return text
}

func TestEnumsSayWhatTheirValuesMean(t *testing.T) {
	doc := changed(t, func(file *descriptorpb.FileDescriptorProto) {
		commented(file, " Nobody\n else.\n", 5, 0, 2, 1)
		commented(file, "buf:lint:ignore X\n", 5, 0, 2, 0)
		file.EnumType[0].Value[2].Options = &descriptorpb.EnumValueOptions{Deprecated: proto.Bool(true)}
	})
	got := descriptionOf(t, at(t, doc, "components", "schemas", "notes.v1.Visibility"))
	if want := "Who may read a note.\n\n- `VISIBILITY_PRIVATE`: Nobody else.\n- `VISIBILITY_PUBLIC`: Deprecated."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A query has no schema of its own for what holds between its parameters, so they say it.
func TestQueryParametersSayWhatHolds(t *testing.T) {
	doc := changed(t, func(file *descriptorpb.FileDescriptorProto) {
		file.Service[0].Method[3].Options = file.Service[0].Method[8].Options // UpdateNote is GET /v1/everything
		file.Service[0].Method = file.Service[0].Method[3:4]
		file.Service = file.Service[:1]
	})
	params := map[string]string{}
	for _, p := range at(t, doc, "paths", "/v1/everything", "get", "parameters").([]any) {
		params[p.(map[string]any)["name"].(string)] = descriptionOf(t, p)
	}
	if got, ok := params["note.text"]; !ok || got != "At most one of text, image is set." {
		t.Errorf("note.text: %q, %v; want what a oneof is", got, ok)
	}
	if _, ok := params["note.createTime"]; ok {
		t.Error("the client may send a field that is only in answers")
	}
}

// A method without a route is listed, as by gRPC alone.
func TestMethodsByGRPCAlone(t *testing.T) {
	doc := changed(t, func(file *descriptorpb.FileDescriptorProto) {
		commented(file, "Does it. Twice.", 6, 2, 2, 0)
		file.Service[2].Method[0].ServerStreaming = proto.Bool(true)
	})
	expectJSON(t, at(t, doc, "x-grpc-methods"), `[{"method":"/notes.v1.NoteService/OnlyGRPC","summary":"Only GRPC"},`+
		`{"description":"Does it. Twice.","method":"/notes.v1.Internal/Ping","serverStream":true,"summary":"Does it"}]`)
}

// A stream has both of its forms, and the header of a client that resumes where the method reads
// it.
func TestStreamsAreEventsToo(t *testing.T) {
	for _, resumes := range []bool{false, true} {
		doc := changed(t, func(file *descriptorpb.FileDescriptorProto) {
			if resumes {
				f := messageOf(file, "ListNotesRequest").Field[0]
				f.Options = new(descriptorpb.FieldOptions)
				proto.SetExtension(f.Options, paddockv1.E_EventId, true)
			}
		})
		watch := []any{"paths", "/v1/notes:watch", "get"}
		expectJSON(t, at(t, doc, append(watch, "responses", "200", "content", "text/event-stream")...),
			`{"schema":{"$ref":"#/components/schemas/notes.v1.Note"}}`)
		found := false
		for _, p := range at(t, doc, append(watch, "parameters")...).([]any) {
			if p := p.(map[string]any); p["in"] == "header" {
				found = p["name"] == "Last-Event-ID" && strings.Contains(descriptionOf(t, p), "`pageSize`")
				expectJSON(t, p["schema"], `{"format":"int32","type":"integer"}`)
			}
		}
		if found != resumes {
			t.Errorf("resumes %v: the header is described: %v", resumes, found)
		}
		if list := at(t, doc, "paths", "/v1/notes", "get").(map[string]any); list["parameters"] != nil && strings.Contains(fmt.Sprint(list["parameters"]), "Last-Event-ID") {
			t.Error("a method that does not stream has the header")
		}
	}
}
