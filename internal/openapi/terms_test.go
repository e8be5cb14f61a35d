package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/openapi"
)

func TestTermsOfTheContract(t *testing.T) {
	info := openapi.Info{MutualTLS: true, Bearer: true, Terms: func(method string) (openapi.Terms, bool) {
		return openapi.Terms{
			Deadline: 2 * time.Second, Public: strings.HasSuffix(method, "/GetNote"), Callers: "web",
			Availability: 99.9, Latency: 99, Within: 250 * time.Millisecond,
		}, true
	}}
	text, err := openapi.Document(info, notes(t))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Method      string                `json:"x-grpc-method"`
			Timeout     string                `json:"x-timeout"`
			Description string                `json:"description"`
			Security    []map[string][]string `json:"security"`
		} `json:"paths"`
		Components struct {
			Schemes map[string]any `json:"securitySchemes"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Components.Schemes) != 2 {
		t.Errorf("security schemes %v, want mutual TLS and bearer tokens", doc.Components.Schemes)
	}
	for path, operations := range doc.Paths {
		for verb, o := range operations {
			if o.Timeout != "2s" {
				t.Errorf("%s %s: x-timeout %q, want 2s", verb, path, o.Timeout)
			}
			for _, want := range []string{"Deadline: 2s.", "Open to web.", "99.9 %", "99 % of calls are answered within 250ms."} {
				if !strings.Contains(o.Description, want) {
					t.Errorf("%s %s: description %q lacks %q", verb, path, o.Description, want)
				}
			}
			want := 2
			if strings.HasSuffix(o.Method, "/GetNote") {
				want = 0 // nobody has to prove anything
			}
			if len(o.Security) != want {
				t.Errorf("%s %s: security %v, want %d ways", verb, path, o.Security, want)
			}
		}
	}
}

// A document names the ways in which a caller can prove who it is here, and none that it need not.
func TestSecuritySchemes(t *testing.T) {
	for name, test := range map[string]struct {
		info    openapi.Info
		public  bool
		schemes []string
	}{
		"mutual TLS":          {openapi.Info{MutualTLS: true}, false, []string{"mutualTLS"}},
		"both":                {openapi.Info{MutualTLS: true, Bearer: true}, false, []string{"mutualTLS", "bearerToken"}},
		"mutual TLS is off":   {openapi.Info{Bearer: true}, false, []string{"bearerToken"}},
		"no way":              {openapi.Info{}, false, nil},
		"open, so none":       {openapi.Info{MutualTLS: true, Bearer: true}, true, nil},
		"open, and no scheme": {openapi.Info{}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			test.info.Terms = func(string) (openapi.Terms, bool) { return openapi.Terms{Public: test.public}, true }
			text, err := openapi.Document(test.info, notes(t))
			if err != nil {
				t.Fatal(err)
			}
			schemes, _ := at(t, text, "components", "securitySchemes").(map[string]any)
			security, said := at(t, text, "paths", "/v1/stats", "get").(map[string]any)["security"]
			ways, _ := security.([]any)
			if len(schemes) != len(test.schemes) || len(ways) != len(test.schemes) {
				t.Fatalf("schemes %v, security %v; want %v", schemes, security, test.schemes)
			}
			for i, scheme := range test.schemes {
				if schemes[scheme] == nil || ways[i].(map[string]any)[scheme] == nil {
					t.Errorf("schemes %v, security %v; want %v", schemes, security, test.schemes)
				}
			}
			if open := said && len(ways) == 0; open != test.public {
				t.Errorf("says that the method is open: %v, want %v", open, test.public)
			}
		})
	}
}
