package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis/chassistest"
)

// document is what the tests look at of openapi.json.
type document struct {
	Tags  []struct{ Description string }
	Paths map[string]map[string]struct {
		Description string
		Callers     string `json:"x-callers"`
		Security    []map[string]any
		Parameters  []struct{ Name, Description string }
	}
	Components struct {
		SecuritySchemes map[string]any
	}
}

func read(t *testing.T, env map[string]string) (doc document, text string) {
	t.Helper()
	svc := chassistest.Start(t, Service(), chassistest.Options{Env: env})
	_, text = get(t, svc.HTTP(), "http://rest/openapi.json")
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc, text
}

// The comments of hello.proto are in the binary, by protoc-gen-comments.
func TestCommentsAreInTheDocument(t *testing.T) {
	doc, text := read(t, nil)
	count := doc.Paths["/v1/hello/{name}/count"]["get"]
	if doc.Tags[0].Description != "HelloService greets." || !strings.HasPrefix(count.Description, "Count greets several times, with a pause between.") ||
		count.Parameters[1].Description != "How often, at most 1000. Zero means 3." {
		t.Errorf("comments are missing: %.2000s", text)
	}
}

// Mutual TLS is described where it is on and a method needs it.
func TestMutualTLSIsDescribedWhereItIs(t *testing.T) {
	const closed = `{"hello.v1.HelloService/SayHello": {"public": false}}`
	for name, test := range map[string]struct {
		mtls    string
		callers string
		ways    int
	}{
		"on":  {"auto", "any service of the own trust domain", 1},
		"off": {"off", "anybody", 0}, // docs/production.md: another layer is responsible
	} {
		doc, text := read(t, map[string]string{"CHASSIS_MTLS": test.mtls, "CHASSIS_POLICY_OVERRIDES": closed})
		got := doc.Paths["/v1/hello/{name}"]["get"]
		if got.Callers != test.callers || len(got.Security) != test.ways || len(doc.Components.SecuritySchemes) != test.ways {
			t.Errorf("%s: callers %q, security %v, schemes %v", name, got.Callers, got.Security, doc.Components.SecuritySchemes)
		}
		if strings.Contains(text, "mutualTLS") != (test.ways > 0) {
			t.Errorf("%s: %.3000s", name, text)
		}
	}
	if _, text := read(t, nil); strings.Contains(text, "securitySchemes") {
		t.Error("a scheme is described that no method asks for")
	}
}
