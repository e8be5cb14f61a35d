package openapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/betmakers/paddock/internal/openapi"
)

var update = flag.Bool("update", false, "write testdata/notes.json anew")

var info = openapi.Info{Title: "notes", Version: "v1.2.3", Description: "Short notes, kept."}

func document(t testing.TB) []byte {
	t.Helper()
	doc, err := openapi.Document(info, notes(t))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestRoutes(t *testing.T) {
	want := []string{
		"GET /v1/{name=notes/*} /notes.v1.NoteService/GetNote",
		"GET /v1/{name=shelves/*/notes/*} /notes.v1.NoteService/GetNote",
		"GET /v1/notes /notes.v1.NoteService/ListNotes",
		"POST /v1/notes /notes.v1.NoteService/CreateNote",
		"PATCH /v1/{note.name=notes/*} /notes.v1.NoteService/UpdateNote",
		"POST /v1/{name=notes/*}:publish /notes.v1.NoteService/PublishNote",
		"DELETE /v1/{name=notes/**} /notes.v1.NoteService/DeleteNote",
		"GET /v1/notes:watch /notes.v1.NoteService/WatchNotes",
		"PUT /v1/everything/{int64_value} /notes.v1.NoteService/ReplaceEverything",
		"GET /v1/everything /notes.v1.NoteService/FindEverything",
		"PURGE /v1/notes /notes.v1.NoteService/PurgeNotes",
	}
	routes, err := openapi.Routes(notes(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range routes {
		got = append(got, r.HTTPMethod+" "+r.Pattern+" "+r.FullMethod)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWithoutTheLinkedOptionThereAreNoRoutes(t *testing.T) {
	for _, service := range services(t, read(t, new(protoregistry.Types))) {
		if routes, err := openapi.Routes(service); len(routes) != 0 || err != nil {
			t.Errorf("%s: %v, %v; want none", service.FullName(), routes, err)
		}
	}
}

func TestDocumentIsTheExpectedOne(t *testing.T) {
	got := document(t)
	if *update {
		if err := os.WriteFile("testdata/notes.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/notes.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the document differs from testdata/notes.json: look at the change with -update and git diff")
	}
	for range 20 {
		if !bytes.Equal(got, document(t)) {
			t.Fatal("the same services gave another document")
		}
	}
}

// at follows keys into a JSON document; numbers are indices.
func at(t testing.TB, doc []byte, keys ...any) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(doc, &value); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		switch k := key.(type) {
		case string:
			value = value.(map[string]any)[k]
		case int:
			value = value.([]any)[k]
		}
	}
	return value
}

func TestValuesFollowTheJSONMappingOfProto3(t *testing.T) {
	doc := document(t)
	ref := func(name string) string { return `{"$ref":"#/components/schemas/notes.v1.` + name + `"}` }
	tests := map[string]string{
		"boolValue":     `{"type":"boolean"}`,
		"int32Value":    `{"format":"int32","type":"integer"}`,
		"sint64Value":   `{"format":"int64","type":"string"}`,
		"uint32Value":   `{"format":"uint32","minimum":0,"type":"integer"}`,
		"fixed64Value":  `{"format":"uint64","type":"string"}`,
		"floatValue":    `{"oneOf":[{"format":"float","type":"number"},{"enum":["NaN","Infinity","-Infinity"],"type":"string"}]}`,
		"bytesValue":    `{"contentEncoding":"base64","type":"string"}`,
		"enumValue":     ref("Visibility"),
		"optionalValue": `{"type":"string"}`,
		"repeatedValue": `{"items":{"format":"int64","type":"string"},"type":"array"}`,
		"mapValue":      `{"additionalProperties":` + ref("Note") + `,"type":"object"}`,
		"struct":        `{"additionalProperties":true,"type":"object"}`,
		"list":          `{"items":{},"type":"array"}`,
		"null":          `{"type":"null"}`,
		"int64Wrapper":  `{"format":"int64","type":["string","null"]}`,
		"bytesWrapper":  `{"contentEncoding":"base64","type":["string","null"]}`,
		"duration":      `{"examples":["1.5s"],"pattern":"^-?[0-9]+(\\.[0-9]{1,9})?s$","type":"string"}`,
		"other":         `{"type":"string"}`,
	}
	for field, want := range tests {
		got, err := json.Marshal(at(t, doc, "components", "schemas", "notes.v1.Everything", "properties", field))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
}

func TestEveryReferenceIsDefined(t *testing.T) {
	doc := document(t)
	defined := at(t, doc, "components", "schemas").(map[string]any)
	var visit func(v any)
	visit = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if defined[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
					t.Errorf("%s is not defined", ref)
				}
			}
			for _, inner := range v {
				visit(inner)
			}
		case []any:
			for _, inner := range v {
				visit(inner)
			}
		}
	}
	visit(at(t, doc))
}

func TestParameters(t *testing.T) {
	doc := document(t)
	tests := []struct {
		path, verb string
		want       string // in:name, in order
	}{
		{"/v1/notes/{name}", "get", "path:name"},
		{"/v1/shelves/{name_1}/notes/{name_2}", "get", "path:name_1 path:name_2"},
		{"/v1/notes", "get", "query:pageSize query:pageToken query:filter.since query:filter.labels query:filter.answered query:visibility query:readMask"},
		{"/v1/notes", "post", "query:requestId"},
		{"/v1/notes/{name}", "patch", "path:name query:updateMask"}, // declared with note.name: one path to OpenAPI
		{"/v1/notes/{name}:publish", "post", "path:name"},
	}
	for _, tt := range tests {
		var got []string
		params, _ := at(t, doc, "paths", tt.path, tt.verb, "parameters").([]any)
		for _, p := range params {
			p := p.(map[string]any)
			got = append(got, p["in"].(string)+":"+p["name"].(string))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.verb, tt.path, strings.Join(got, " "), tt.want)
		}
	}
	body := at(t, doc, "paths", "/v1/notes/{name}:publish", "post", "requestBody", "content", "application/json", "schema", "properties").(map[string]any)
	if body["name"] != nil || body["delay"] == nil {
		t.Errorf("the body of a method with a field in its path has properties %v, want the others", body)
	}
}

func TestStreamsAreLinesOfResultOrError(t *testing.T) {
	content := at(t, document(t), "paths", "/v1/notes:watch", "get", "responses", "200", "content", openapi.StreamContentType, "schema", "oneOf")
	got, err := json.Marshal(content)
	want := `[{"properties":{"result":{"$ref":"#/components/schemas/notes.v1.Note"}},"required":["result"],"type":"object"},` +
		`{"properties":{"error":{"$ref":"#/components/schemas/Problem"}},"required":["error"],"type":"object"}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSummariesWithoutComments(t *testing.T) {
	doc := document(t)
	for path, want := range map[string]string{"/v1/stats": "Get URL stats", "/v1/everything": "Find everything", "/v1/notes:watch": "Tells of every change, until the caller hangs up"} {
		if got := at(t, doc, "paths", path, "get", "summary"); got != want {
			t.Errorf("%s: summary %q, want %q", path, got, want)
		}
	}
}

func TestNothingToDescribe(t *testing.T) {
	doc, err := openapi.Document(openapi.Info{}, nil)
	if err != nil || at(t, doc, "info", "title") == "" || at(t, doc, "paths") == nil {
		t.Errorf("got %s, %v; want a document with a title and no paths", doc, err)
	}
}

// set fills strings of a rule by field name.
func set(fields map[string]string) func(protoreflect.Message) {
	return func(rule protoreflect.Message) {
		for name, value := range fields {
			rule.Set(rule.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOfString(value))
		}
	}
}

func TestMistakesInAnOptionAreNamed(t *testing.T) {
	tests := []struct {
		name string
		rule map[string]string
		want string
	}{
		{"no slash in front", map[string]string{"get": "v1/notes"}, "must begin with a slash"},
		{"a variable left open", map[string]string{"get": "/v1/{name"}, "not closed"},
		{"a variable within a variable", map[string]string{"get": "/v1/{name={id}}"}, "followed by a slash"},
		{"text behind a variable", map[string]string{"get": "/v1/{name}x"}, "followed by a slash"},
		{"a slash at the end", map[string]string{"get": "/v1/"}, "slash at the end"},
		{"two slashes", map[string]string{"get": "/v1//notes"}, "not a segment"},
		{"an empty verb", map[string]string{"get": "/v1/notes:"}, "ends with a colon"},
		{"an unknown field in the path", map[string]string{"get": "/v1/{nme}"}, `has no field "nme"`},
		{"a path through a string", map[string]string{"get": "/v1/{name.id}"}, "is no message"},
		{"an unknown body", map[string]string{"post": "/v1/notes", "body": "nte"}, `body names "nte"`},
		{"an unknown response body", map[string]string{"get": "/v1/notes", "response_body": "nte"}, `response_body names "nte"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := openapi.Document(info, []protoreflect.ServiceDescriptor{ruled(t, set(tt.rule))})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "notes.v1.Ruled.GetNote") {
				t.Errorf("got error %v, want one that names the method and says %q", err, tt.want)
			}
		})
	}
}

func FuzzRoutes(f *testing.F) {
	for _, path := range []string{"/v1/{name=notes/*}:publish", "/", "/{a}/{b=**}", "/v1/*/x/**", "/{", "/}", "/a:b:c", "/{a=}"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		service := ruled(t, set(map[string]string{"get": path}))
		routes, err := openapi.Routes(service)
		if err == nil && (len(routes) != 1 || routes[0].Pattern != path) {
			t.Errorf("got %v, want one route with the pattern as it stands", routes)
		}
		_, _ = openapi.Document(info, []protoreflect.ServiceDescriptor{service}) // must not panic
	})
}
