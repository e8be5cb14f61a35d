package forms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	formsv1 "github.com/betmakers/paddock/examples/gen/forms/v1"
)

// A body is judged by what is in it, with or without a Content-Length.
func TestBodiesOfAnyFraming(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for body, want := range map[string]int{
		"": 200, " \n": 200, "{}": 200, " {} \n": 200, `{"name":"a"}`: 200, `{"name":"a","unknown":{"kind":"KIND_Z"}}`: 200,
		`{"name":"a"}x`: 400, `{"name":"a"}{}`: 400, `{"name":`: 400, `x`: 400, `[]`: 400, `{}.`: 400,
	} {
		for framing, reader := range framings {
			if got := do(t, svc, "POST", "/v1/echo", reader(body)); got.status != want {
				t.Errorf("%s, %q: got %d %s, want %d", framing, body, got.status, got.body, want)
			}
		}
	}
}

// An unknown name of an enum is refused, wherever it stands, and an unknown field is ignored.
func TestUnknownNamesOfEnums(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for body, field := range map[string]string{
		`{"kind":"KIND_Z"}`:                                                 "kind",
		`{"kind":"1"}`:                                                      "kind",
		`{"kind":""}`:                                                       "kind",
		`{"new":1,"kind":"KIND_Z"}`:                                         "kind",
		`{"kind":"KIND_Z","new":[{"kind":{}}]}`:                             "kind",
		`{"kinds":["KIND_A","KIND_Z"]}`:                                     "kinds[1]",
		`{"kindByName":{"hunter2":"KIND_Z"}}`:                               "kind_by_name",
		`{"kind_by_name":{"a":"KIND_Z"}}`:                                   "kind_by_name",
		`{"inner":{"kind":"KIND_Z"}}`:                                       "inner.kind",
		`{"inner":{"within":{"kind":"KIND_Z"}}}`:                            "inner.within.kind",
		`{"inners":[{},{"new":1,"kind":"k"}]}`:                              "inners[1].kind",
		`{"innerByNumber":{"7":{"kind":"k"}}}`:                              "inner_by_number.kind",
		`{"chosen":{"kind":"k"}}`:                                           "chosen.kind",
		`{"optionalKind":"k"}`:                                              "optional_kind",
		`{"any":{"@type":"a/forms.v1.Inner","kind":"k"}}`:                   "any.kind",
		`{"any":{"kind":"k","new":1,"@type":"a/forms.v1.Inner"}}`:           "any.kind",
		`{"any":{"@type":"a/forms.v1.Shape","new":1,"inner":{"kind":"k"}}}`: "any.inner.kind",
		"{\"object\":{\"kind\":\"k\"},\"value\":{\"kind\":[1]},\"kinds\":[null,\"k\"]}": "",
	} {
		want := "the value of " + field + " is no name of its enum"
		if field == "" {
			want = "the request cannot be read"
		}
		if got := do(t, svc, "POST", "/v1/echo", strings.NewReader(body)); got.status != 400 || !strings.Contains(got.body, want) || strings.Contains(got.body, "hunter2") {
			t.Errorf("%s: got %d %s, want %s", body, got.status, got.body, want)
		}
	}
	for _, body := range []string{
		`{"kind":"KIND_B"}`, `{"kind":2}`, `{"kind":77}`, `{"kind":null}`, `{"new":"KIND_Z","kind":"KIND_A"}`,
		`{"object":{"kind":"KIND_Z"},"value":"KIND_Z","name":"KIND_Z","labels":{"kind":"KIND_Z"},"new":1}`,
		`{"new":{"inner":{"kind":"KIND_Z"}}}`, `{"nothing":null,"new":1}`, `{"nothing":"NULL_VALUE","new":1}`,
		`{"inner":null,"inners":[],"kinds":null,"kindByName":null,"any":null,"maybe":null,"at":"2026-01-01T00:00:00Z","new":1}`,
		`{"any":{"@type":"a/google.protobuf.Any","value":{"@type":"a/forms.v1.Inner","kind":"KIND_A"}},"new":1}`,
		`{"any":{"@type":"a/google.protobuf.StringValue","value":"KIND_Z"},"new":1}`,
	} {
		if got := do(t, svc, "POST", "/v1/echo", strings.NewReader(body)); got.status != 200 {
			t.Errorf("%s: got %d %s", body, got.status, got.body)
		}
	}
	for _, path := range []string{"/v1/kinds/KIND_Z", "/v1/echo?kind=KIND_Z", "/v1/echo?kinds=KIND_A&kinds=KIND_Z", "/v1/echo?inner.kind=KIND_Z", "/v1/echo?kind_by_name[a]=KIND_Z"} {
		if got := do(t, svc, "GET", path, nil); got.status != 400 || !strings.Contains(got.body, "the value of ") || strings.Contains(got.body, "KIND_Z") {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
	if got := do(t, svc, "PATCH", "/v1/shapes/n", strings.NewReader(`{"kind":"KIND_Z"}`)); got.status != 400 || !strings.Contains(got.body, "the value of kind is no name of its enum") {
		t.Errorf("PATCH: got %d %s", got.status, got.body)
	}
}

// One field as the body of a request has the JSON that it has within its message.
func TestFieldsAsRequests(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for _, tc := range [][3]string{
		{"name", `"a\u00e9"`, `"name":"aé"`},
		{"kind", `"KIND_B"`, `"kind":"KIND_B"`}, {"kind", `2`, `"kind":"KIND_B"`}, {"kind", `"KIND_Z"`, ""}, {"kind", `"2"`, ""}, {"kind", `1.5`, ""},
		{"kinds", `["KIND_A",2]`, `"kinds":["KIND_A","KIND_B"]`}, {"kinds", `["KIND_Z"]`, ""}, {"kinds", `[null]`, ""}, {"kinds", `null`, `"kinds":[]`},
		{"kind_by_name", `{"a":"KIND_A"}`, `"kindByName":{"a":"KIND_A"}`}, {"kind_by_name", `{"a":1,"a":2}`, ""}, {"kind_by_name", `{"a":"KIND_Z"}`, ""}, {"kind_by_name", `[]`, ""},
		{"big", `"9007199254740993"`, `"big":"9007199254740993"`}, {"big", `7`, `"big":"7"`}, {"big", `"x"`, ""}, {"big", `1.5`, ""},
		{"bigs", `[1,"2"]`, `"bigs":["1","2"]`},
		{"ratio", `"NaN"`, `"ratio":"NaN"`}, {"ratio", `0.5`, `"ratio":0.5`},
		{"raw", `"AP8="`, `"raw":"AP8="`}, {"raw", `"?"`, ""},
		{"flag", `true`, `"flag":true`}, {"flag", `"true"`, ""},
		{"inner", `{"id":"a","new":1}`, `"inner":{"id":"a"`}, {"inner", `{"kind":"KIND_Z"}`, ""}, {"inner", `7`, ""},
		{"inners", `[{"id":"a"}]`, `"inners":[{"id":"a"`}, {"inners", `[{"kind":"KIND_Z"}]`, ""}, {"inners", `[null]`, ""},
		{"inner_by_number", `{"-7":{"id":"a"}}`, `"innerByNumber":{"-7":{"id":"a"`}, {"inner_by_number", `{"x":{}}`, ""}, {"inner_by_number", `{"1":{},"01":{}}`, ""},
		{"inner/within", `{"id":"a"}`, `"within":{"id":"a"`},
		{"inner", ``, `"inner":{"id":""`}, {"inner", " \n", `"inner":{"id":""`}, {"inner/within", ``, `"within":{"id":""`}, {"inners", ``, `"inners":[]`}, {"name", ``, `"name":""`},
		{"kind_by_name", `{`, ""}, {"kind_by_name", `{"a":1`, ""}, {"kind_by_name", `{"a":1}x`, ""}, {"kind_by_name", `{"a":1}{}`, ""}, {"kind_by_name", "{\"\xff\":1}", ""},
	} {
		for framing, reader := range framings {
			got := do(t, svc, "POST", "/v1/echo/"+tc[0], reader(tc[1]))
			text := strings.ReplaceAll(got.body, ", ", ",")
			text = strings.ReplaceAll(text, ": ", ":")
			if want := tc[2]; want == "" && (got.status != 400 || !strings.Contains(text, "the request cannot be read")) || want != "" && (got.status != 200 || !strings.Contains(text, want)) {
				t.Errorf("%s, %s %s: got %d %s, want %s", framing, tc[0], tc[1], got.status, got.body, want)
			}
		}
	}
}

// One field as the body of an answer has the JSON that it has within its message, also where it is not set.
func TestFieldsAsAnswers(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for _, tc := range [][3]string{
		{"name", `{}`, `""`}, {"name", `{"name":"a"}`, `"a"`},
		{"kind", `{}`, `"KIND_UNSPECIFIED"`}, {"kind", `{"kind":77}`, `77`},
		{"kinds", `{}`, `[]`}, {"kinds", `{"kinds":[1,77]}`, `["KIND_A",77]`},
		{"kind_by_name", `{}`, `{}`}, {"kind_by_name", `{"kindByName":{"a":1}}`, `{"a":"KIND_A"}`},
		{"big", `{}`, `"0"`}, {"big", `{"big":"9007199254740993"}`, `"9007199254740993"`},
		{"bigs", `{}`, `[]`}, {"bigs", `{"bigs":[1]}`, `["1"]`},
		{"ratio", `{}`, `0`}, {"ratio", `{"ratio":"NaN"}`, `"NaN"`}, {"ratio", `{"ratio":"-Infinity"}`, `"-Infinity"`},
		{"raw", `{}`, `""`}, {"raw", `{"raw":"AP8="}`, `"AP8="`},
		{"raws", `{}`, `[]`}, {"raws", `{"raws":["AP8=",""]}`, `["AP8=",""]`},
		{"flag", `{}`, `false`},
		{"inners", `{}`, `[]`}, {"inners", `{"inners":[{"id":"a"}]}`, `[{"id":"a","kind":"KIND_UNSPECIFIED"}]`},
		{"inner_by_number", `{}`, `{}`}, {"inner_by_number", `{"innerByNumber":{"7":{}}}`, `{"7":{"id":"","kind":"KIND_UNSPECIFIED"}}`},
		{"labels", `{}`, `{}`}, {"labels", `{"labels":{"a":"b"}}`, `{"a":"b"}`},
		{"value", `{}`, `null`}, {"value", `{"value":null}`, `null`}, {"value", `{"value":[1]}`, `[1]`},
		{"maybe", `{}`, `null`}, {"maybe", `{"maybe":"a"}`, `"a"`},
		{"inner/within", `{"inner":{"within":{"id":"a"}}}`, `{"id":"a","kind":"KIND_UNSPECIFIED"}`},
	} {
		got := do(t, svc, "POST", "/v1/part/"+tc[0], strings.NewReader(tc[1]))
		var compact json.RawMessage
		if err := json.Unmarshal([]byte(got.body), &compact); err != nil {
			t.Errorf("%s of %s: got %d %q, no JSON", tc[0], tc[1], got.status, got.body)
			continue
		}
		text, _ := json.Marshal(compact)
		if got.status != 200 || string(text) != tc[2] {
			t.Errorf("%s of %s: got %d %s, want %s", tc[0], tc[1], got.status, text, tc[2])
		}
	}
	if got := do(t, svc, "GET", "/v1/watch/inners", nil); got.body != "{\"result\":[]}\n{\"result\":[]}\n" {
		t.Errorf("in a stream: got %q", got.body)
	}
}

// An answer that is no JSON is INTERNAL to the caller, in the log and in the metric, and nobody gets its text.
func TestAnswersThatAreNoJSON(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]*formsv1.Shape{
		"no UTF-8":          {Name: "hunter2\xff"},
		"unlinked Any":      {Any: &anypb.Any{TypeUrl: "type.googleapis.com/hunter2.Type", Value: []byte{8, 1}}},
		"broken Any":        {Any: &anypb.Any{TypeUrl: "type.googleapis.com/forms.v1.Inner", Value: []byte{0xff}}},
		"time out of range": {At: &timestamppb.Timestamp{Seconds: math.MaxInt64}},
		"duration":          {Lasts: &durationpb.Duration{Seconds: math.MaxInt64}},
		"NaN":               {Value: structpb.NewNumberValue(math.NaN())},
		"no value":          {Value: &structpb.Value{}},
		"deep":              {Inners: []*formsv1.Inner{{Id: "\xff"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := serve(t, &shapes{answer: func(context.Context, *formsv1.Shape) (*formsv1.Shape, error) { return answer, nil }})
			for _, path := range []string{"/v1/echo", "/v1/watch"} {
				if got := do(t, svc, "GET", path, nil); got.status != 500 || !strings.Contains(got.body, `"INTERNAL"`) || strings.Contains(got.body, "hunter2") {
					t.Errorf("%s: got %d %s", path, got.status, got.body)
				}
			}
			if got := do(t, svc, "POST", "/v1/part/name", strings.NewReader("{}")); got.status != 500 {
				t.Errorf("one field: got %d %s", got.status, got.body)
			}
			lines := svc.Logs("call")
			for _, line := range lines {
				if line["code"] != "INTERNAL" || line["level"] != "ERROR" {
					t.Errorf("logged %v", line)
				}
			}
			failed := 0.0
			for _, method := range []string{"Echo", "Watch", "Part"} {
				failed += svc.Metric("rpc_server_call_duration_seconds", "rpc_method", "forms.v1.FormsService/"+method, "rpc_status_code", "INTERNAL")
			}
			if len(lines) != 3 || failed != 3 {
				t.Errorf("%d lines, and %v calls failed, want 3", len(lines), failed)
			}
		})
	}
}

// Required fields are those of the whole request, and a request without them makes no handler run.
func TestRequiredFields(t *testing.T) {
	t.Parallel()
	ran := make(chan struct{}, 100)
	svc := serve(t, &shapes{ran: ran})
	for _, tc := range []struct {
		method, path, body string
		missing            string // empty for none
	}{
		{"GET", "/v1/legacy", "", "id"}, {"GET", "/v1/legacy?id=a", "", ""}, {"GET", "/v1/legacy/a", "", ""},
		{"GET", "/v1/legacy?id=a&part.size=1", "", ""},
		{"POST", "/v1/legacy", "{}", "id"}, {"POST", "/v1/legacy", "", "id"}, {"POST", "/v1/legacy", `{"id":"a"}`, ""},
		{"POST", "/v1/legacy/a", `{}`, ""}, {"POST", "/v1/legacy/a", ``, ""}, {"POST", "/v1/legacy/a", `{"part":{}}`, "size"},
		{"POST", "/v1/legacysum", `{"id":"a"}`, ""}, {"POST", "/v1/legacysum", `{"note":"hunter2"}`, "id"},
	} {
		got := do(t, svc, tc.method, tc.path, strings.NewReader(tc.body))
		want := fmt.Sprintf("the required field %s is not set", tc.missing)
		if tc.missing == "" && (got.status != 200 || len(ran) != 1) || tc.missing != "" && (got.status != 400 || !strings.Contains(got.body, want) || len(ran) != 0) {
			t.Errorf("%s %s %s: got %d %s, and %d handlers ran", tc.method, tc.path, tc.body, got.status, got.body, len(ran))
		}
		for len(ran) > 0 {
			<-ran
		}
	}
	if got := do(t, svc, "GET", "/v1/legacy?id=a&note=incomplete", nil); got.status != 500 || !strings.Contains(got.body, "INTERNAL") {
		t.Errorf("an answer without one: got %d %s", got.status, got.body)
	}
}
