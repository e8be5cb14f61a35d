package differential

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// Each aspect of an answer is compared; how it is framed and the order of JSON's members are not.
func TestDifferences(t *testing.T) {
	plain := func(change func(*answer)) *answer {
		a := &answer{
			status: 200, header: http.Header{"Content-Type": {"application/json"}, "Date": {"now"}}, trailer: http.Header{},
			body: []byte(`{"a":1,"b":[2]}`), received: []string{"Get text:\"a\""},
		}
		if change != nil {
			change(a)
		}
		return a
	}
	for _, c := range []struct {
		name               string
		reference, chassis func(*answer)
		want               []string
	}{
		{name: "none"},
		{name: "framing", chassis: func(a *answer) {
			a.header = http.Header{"Content-Type": {"application/json"}, "Content-Length": {"9"}}
			a.body = []byte("{\"b\": [2],\n\"a\": 1}\n")
		}},
		{name: "status", chassis: func(a *answer) { a.status = 201 }, want: []string{"status: 200 -> 201"}},
		{name: "header", chassis: func(a *answer) { a.header.Set("X", "1") }, want: []string{`header X: absent -> ["1"]`}},
		{name: "trailer", reference: func(a *answer) { a.trailer.Set("X", "1") }, want: []string{`trailer X: ["1"] -> absent`}},
		{name: "value", chassis: func(a *answer) { a.body = []byte(`{"a":1,"b":["2"]}`) }, want: []string{`body: {"a":1,"b":[2]} -> {"a":1,"b":["2"]}`}},
		{name: "number of values", chassis: func(a *answer) { a.body = append(a.body, '1') }, want: []string{`body: {"a":1,"b":[2]} -> {"a":1,"b":[2]} 1`}},
		{name: "bytes", reference: func(a *answer) { a.body = []byte("\xff") }, chassis: func(a *answer) { a.body = []byte("\xfe") }, want: []string{`body: "\xff" -> "\xfe"`}},
		{name: "received", chassis: func(a *answer) { a.received = nil }, want: []string{`received: Get text:"a" -> `}},
		{
			name:      "the same error",
			reference: func(a *answer) { a.status, a.body = 404, []byte(`{"code":5,"message":"m","details":[]}`) },
			chassis: func(a *answer) {
				a.status, a.body = 404, []byte(`{"title":"Not Found","status":404,"code":"NOT_FOUND","detail":"m"}`)
			},
		},
		{
			name:      "another error at the end of a stream",
			reference: func(a *answer) { a.body = []byte(`{"result":1}{"error":{"code":5,"message":"m","details":[]}}`) },
			chassis: func(a *answer) {
				a.body = []byte(`{"result":1}{"error":{"title":"Bad Request","code":"INVALID_ARGUMENT","detail":"n","errors":[{"field":"f"}]}}`)
			},
			want: []string{"error code: NOT_FOUND -> INVALID_ARGUMENT", "error text: m -> n", `error details: [] -> [{"field":"f"}]`},
		},
		{
			name: "one side fails",
			chassis: func(a *answer) {
				a.status, a.body = 400, []byte(`{"title":"Bad Request","code":"INVALID_ARGUMENT","detail":"n"}`)
			},
			want: []string{"status: 200 -> 400", "error: none -> INVALID_ARGUMENT, n"},
		},
	} {
		var got []string
		for _, d := range differences(plain(c.reference), plain(c.chassis)) {
			got = append(got, d.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.name, fmt.Sprintf("%q", got), fmt.Sprintf("%q", c.want))
		}
	}
}
