package forms_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// A path means what google/api/http.proto says: a variable of one segment is decoded, one of
// several keeps its %2F.
func TestEncodedPaths(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for path, want := range map[string]string{
		"/v1/things/a":                               "a",
		"/v1/things/a%2Fb":                           "a/b",
		"/v1/things/a%2fb":                           "a/b",
		"/v1/things/%2F":                             "/",
		"/v1/things/s3:%2F%2Fb":                      "s3://b",
		"/v1/things/spiffe%3A%2F%2Fa":                "spiffe://a",
		"/v1/things/a%252Fb":                         "a%2Fb",
		"/v1/things/a%252F%2Fb":                      "a%2F/b",
		"/v1/things/%25":                             "%",
		"/v1/things/a+b%2B%20c":                      "a+b+ c",
		"/v1/things/a%3Fb%23c%26d=e":                 "a?b#c&d=e",
		"/v1/things/%C3%A9%2F%F0%9F%90%8E":           "é/🐎",
		"/v1/%74hings/%61%2fb":                       "a/b",
		"/v1/things/a%3Acancel":                      "a:cancel",
		"/v1/things/..%2F..%2Fetc":                   "../../etc",
		"/v1/odd~$@/x":                               "x",
		"/v1/odd%7E%24%40/x%2Fy":                     "x/y",
		"/v1/odd~$%40/x":                             "x",
		"/v1/shelved/shelves/a/books/b":              "shelves/a/books/b",
		"/v1/shelved/shelves/a%2Fb/books/c%20d":      "shelves/a%2Fb/books/c d",
		"/v1/shelved/shelves/a%2fb%3A/books/c%252Fd": "shelves/a%2fb:/books/c%2Fd",
		"/v1/shelved/shelves/%C3%A9%2F/books/b":      "shelves/é%2F/books/b",
		"/v1/deep/a/b//c":                            "a/b//c",
		"/v1/deep/a%2Fb/c":                           "a%2Fb/c",
		"/v1/deep/a%2Fb%3A%25%3F/c":                  "a%2Fb:%?/c",
		"/v1/deep/a%3Ab%3F":                          "a:b?",
		"/v1/deep/under/a%2Fb/c:within":              "under/a%2Fb/c",
		"/v1/inner/a%2Fb":                            "a/b",
		"/v1/two/a%2Fb/of/c%2Fd":                     "a/b c/d",
		"/v1/a:custom:custom":                        "a",
		"/v1/a%2Fb:custom:custom":                    "a/b",
	} {
		got := do(t, svc, "GET", path, nil)
		var shape struct {
			Name  string
			Inner *struct{ ID string }
		}
		if err := json.Unmarshal([]byte(got.body), &shape); err != nil || got.status != 200 {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
			continue
		}
		name := shape.Name
		if shape.Inner != nil {
			name = strings.TrimSpace(name + " " + shape.Inner.ID)
		}
		if name != want {
			t.Errorf("%s: got %q, want %q", path, name, want)
		}
	}
	if got := do(t, svc, "POST", "/v1/things/a%2Fb:cancel", strings.NewReader("{}")); got.status != 200 || !strings.Contains(got.body, `"a/b"`) {
		t.Errorf("with a verb: got %d %s", got.status, got.body)
	}
	for method, want := range map[string]int{"HEAD": 200, "OPTIONS": 204, "PUT": 405} {
		if got := do(t, svc, method, "/v1/odd%7E%24%40/x%2Fy", nil); got.status != want {
			t.Errorf("%s: got %d, want %d", method, got.status, want)
		}
	}
	for _, path := range []string{"/v1/things%2Fa", "/v1%2Fthings/a", "/v1/things/a/b", "/v1/things/%ff", "/v1/shelved/shelves%2Fa/books/b"} {
		if got := do(t, svc, "GET", path, nil); got.status != 404 && got.status != 400 {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
}

// An error about path or query names the parameter, and quotes no value.
func TestUnreadableParameters(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for query, want := range map[string]string{
		"text=hunter2&number=1":                    "at most one of text, number, chosen may be given",
		"text=hunter2&chosen.id=2":                 "at most one of text, number, chosen may be given",
		"name=hunter2&name=b":                      "name is given more than once",
		"optionalKind=KIND_A&optional_kind=KIND_B": "optional_kind is given more than once",
		"big=hunter2":                              "the value of big is none of its type",
		"bigs=1&bigs=hunter2":                      "the value of bigs is none of its type",
		"inner.kind=hunter2":                       "the value of kind is none of its type",
		"inner_by_number[hunter2]=x":               "inner_by_number is none of its type",
		"labels[hunter2]=a&labels[hunter2]=b":      "a key of labels is given more than once",
		"name[hunter2]=b":                          "name is not a map",
		"name.hunter2=b":                           "name has no fields of its own",
		"name=%zzhunter2":                          "a percent sign in the query must be followed by two hexadecimal digits",
		"name=a;hunter2=b":                         "parameters of the query must be separated by &, not by a semicolon",
		"at=hunter2":                               "the value of at is none of its type",
		"object=hunter2":                           "the value of object is none of its type",
		"inners=hunter2":                           "the value of inners is none of its type",
		"hunter2=1&name=%ff":                       "its path or its query is not UTF-8",
	} {
		got := do(t, svc, "GET", "/v1/echo?"+query, nil)
		if got.status != 400 || !strings.Contains(got.body, strings.ReplaceAll(want, "&", `\u0026`)) || strings.Contains(got.body, "hunter2") {
			t.Errorf("%s: got %d %s, want %s", query, got.status, got.body, want)
		}
	}
	for body, want := range map[string]string{
		`{"text":"hunter2","number":1}`:   "at most one of text, number, chosen may be given",
		`{"name":"hunter2","name":"b"}`:   "name is given more than once",
		`{"big":1.5}`:                     "the value of big is none of its type",
		`{"innerByNumber":{"hunter2":1}}`: "the request cannot be read at line 1:",
	} {
		got := do(t, svc, "POST", "/v1/echo", strings.NewReader(body))
		if got.status != 400 || !strings.Contains(got.body, want) || strings.Contains(got.body, "hunter2") {
			t.Errorf("%s: got %d %s, want %s", body, got.status, got.body, want)
		}
	}
	if got := do(t, svc, "PATCH", "/v1/shapes/n", strings.NewReader(`{"name":"a","newer":1}`)); got.status != 400 || !strings.Contains(got.body, "there is no field newer") {
		t.Errorf("PATCH with an unknown field: got %d %s", got.status, got.body)
	}
	if got := do(t, svc, "GET", "/v1/echo?utm_source=a&name=b", nil); got.status != 200 {
		t.Errorf("an unknown parameter: got %d %s", got.status, got.body)
	}
	for _, line := range svc.Logs() {
		if message := line["msg"]; message != "request" && message != "call" && message != "gRPC says" {
			continue
		}
		for key, value := range line {
			if text, _ := value.(string); strings.Contains(text, "hunter2") {
				t.Errorf("logged %s=%s", key, text)
			}
		}
	}
}
