package contract_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/contract"
)

func TestParseOverrides(t *testing.T) {
	got, err := contract.ParseOverrides(`{
		"bets.v1.Bets/Place": {"timeout": "0.5s", "callers": ["web"], "maxRequestBytes": 10},
		"bets.v1.Bets/Watch": {"public": false, "criticality": "CRITICALITY_SHEDDABLE", "max_request_bytes": 20}
	}`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"bets.v1.Bets/Place": `timeout: {nanos: 500000000} callers: "web" max_request_bytes: 10`,
		"bets.v1.Bets/Watch": `public: false criticality: CRITICALITY_SHEDDABLE max_request_bytes: 20`,
	}
	if len(got) != len(want) {
		t.Errorf("%d overrides, want %d", len(got), len(want))
	}
	for name, text := range want {
		if !proto.Equal(got[name], policy(t, text)) {
			t.Errorf("override of %s is %v, want %s", name, got[name], text)
		}
	}
}

func TestNoOverrides(t *testing.T) {
	for _, text := range []string{"", "{}"} {
		if got, err := contract.ParseOverrides(text); err != nil || len(got) != 0 {
			t.Errorf("%q gives %v, %v", text, got, err)
		}
	}
}

func TestParseOverridesErrors(t *testing.T) {
	const form = `overrides must be a JSON object such as {"package.Service/Method": {"timeout": "2s"}}: `
	tests := []struct {
		name, text string
		want       []string // how each error begins
	}{
		{"no JSON", `timeout=2s`, []string{form}},
		{"blank", ` `, []string{form}},
		{"half an object", `{"a.B/C": {"timeout": "2s"}`, []string{form}},
		{"more than an object", `{} {}`, []string{form}},
		{"an array", `[{"timeout": "2s"}]`, []string{form}},
		{"a text", `"a.B/C"`, []string{form}},
		{"null", `null`, []string{form + "it is null"}},
		{"unknown field", `{"a.B/C": {"timeouts": "2s"}}`, []string{"override of a.B/C is no paddock.v1.Policy: "}},
		{"unknown criticality", `{"a.B/C": {"criticality": "URGENT"}}`, []string{"override of a.B/C is no paddock.v1.Policy: "}},
		{"number without a unit", `{"a.B/C": {"timeout": 2}}`, []string{"override of a.B/C is no paddock.v1.Policy: "}},
		{"field twice", `{"a.B/C": {"timeout": "2s", "timeout": "3s"}}`, []string{"override of a.B/C is no paddock.v1.Policy: "}},
		{"null policy", `{"a.B/C": null}`, []string{"override of a.B/C is no paddock.v1.Policy: "}},
		{"policy as text", `{"a.B/C": "2s"}`, []string{"override of a.B/C is no paddock.v1.Policy: "}},
		{"two that are wrong", `{"b.B/C": [], "x.X/Y": {"public": true}, "a.B/C": {"no": 1}}`, []string{
			"override of a.B/C is no paddock.v1.Policy: ", "override of b.B/C is no paddock.v1.Policy: "}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := contract.ParseOverrides(test.text)
			got := lines(err)
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("errors are %q, want %q…", got, test.want)
			}
		})
	}
}

func TestUnusedOverrides(t *testing.T) {
	overrides, err := contract.ParseOverrides(`{"b.Bets/Plaice": {}, "b.Bets/Place": {}, "/b.Bets/Place": {}, "b.Bets": {}, "b.bets/place": {}}`)
	if err != nil {
		t.Fatal(err)
	}
	methods := []string{"b.Bets/Watch", "b.Bets/Place"}
	want := []string{"/b.Bets/Place", "b.Bets", "b.Bets/Plaice", "b.bets/place"}
	if got := overrides.Unused(methods); !slices.Equal(got, want) {
		t.Errorf("unused are %q, want %q", got, want)
	}
	if got := contract.Overrides(nil).Unused(methods); got != nil {
		t.Errorf("unused of none are %q", got)
	}
}
