// Package openapi_test holds the OpenAPI documents of services to public validators, and a client
// that is generated from one to a running service. make openapi runs it.
package openapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// documents are the documents under test, by name.
func documents(t *testing.T) map[string][]byte {
	t.Helper()
	return map[string][]byte{"hello": fetch(t, startHello(t)+"/openapi.json"), "big": bigDocument(t)}
}

// kin-openapi reads each document, without a word against it.
func TestDocumentsAreValid(t *testing.T) {
	for name, text := range documents(t) {
		t.Run(name, func(t *testing.T) {
			doc := load(t, text)
			if !doc.IsOpenAPI31OrLater() {
				t.Errorf("the version is %s", doc.OpenAPI)
			}
			if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The validator finds what is wrong: a document with a mistake is not taken.
func TestTheValidatorValidates(t *testing.T) {
	for what, change := range map[string][2]string{
		"a type that there is not":       {`"type": "string"`, `"type": "text"`},
		"a reference that leads nowhere": {`#/components/schemas/notes.v1.Note"`, `#/components/schemas/notes.v2.Note"`},
		"a parameter nowhere":            {`"in": "query"`, `"in": "body"`},
	} {
		text := bytes.Replace(bigDocument(t), []byte(change[0]), []byte(change[1]), 1)
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err == nil {
			err = doc.Validate(t.Context(), openapi3.EnableExamplesValidation())
		}
		if err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

// What hello answers is what its document says.
func TestAnswersAreAsDescribed(t *testing.T) {
	base := startHello(t)
	doc := load(t, fetch(t, base+"/openapi.json"))
	doc.Servers = openapi3.Servers{{URL: base}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/hello/Ada", "", 200},
		{"POST", "/v1/hello", `{"name":"Grace"}`, 200},
		{"GET", "/v1/hello/" + strings.Repeat("x", 101), "", 400},
		{"GET", "/v1/hello/Ada/count?times=-1", "", 400},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, base+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		route, params, err := router.FindRoute(request)
		if err != nil {
			t.Fatalf("%s %s: %v", test.method, test.path, err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != test.status {
			t.Errorf("%s %s: %s, %v", test.method, test.path, answer.Status, err)
		}
		input := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, PathParams: params, Route: route},
			Status:                 answer.StatusCode, Header: answer.Header,
			Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}
		input.SetBodyBytes(body)
		if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
			t.Errorf("%s %s: %s: %v", test.method, test.path, body, err)
		}
	}
}

// Redocly's strict rules have nothing to say.
func TestRedocly(t *testing.T) {
	redocly := tool(t, "redocly")
	for name, text := range documents(t) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), name+".json")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, redocly, "lint", "--config", "redocly.yaml", file)
		})
	}
}

// A client that is generated from the document compiles, refuses what is wrong, and calls hello.
func TestTypeScriptClient(t *testing.T) {
	generate, compile := tool(t, "openapi-typescript"), tool(t, "tsc")
	base := startHello(t)
	if err := os.RemoveAll("gen"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("gen", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"hello": fetch(t, base+"/openapi.json"), "big": bigDocument(t)} {
		file := filepath.Join("gen", name+".json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, generate, file, "--output", filepath.Join("gen", name+".ts"))
	}
	run(t, compile, "--project", ".")
	if got := run(t, "node", "gen/js/client.js", base); strings.TrimSpace(got) != "ok" {
		t.Errorf("the client says %q", got)
	}
}

func load(t *testing.T, text []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// tool returns a command of npm's, and skips the test where they are not installed, but not in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("node_modules", ".bin", name)
	_, missing := exec.LookPath("node")
	if missing == nil {
		_, missing = os.Stat(path)
	}
	if missing == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v: run make openapi", missing)
	}
	t.Skipf("%v: run make openapi", missing)
	return ""
}

// run runs a command and returns its output.
func run(t *testing.T, command string, args ...string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	cmd := exec.CommandContext(ctx, command, args...) //nolint:gosec // a tool of the test
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "CI=true")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", command, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}
