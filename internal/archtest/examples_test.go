package archtest_test

import (
	"go/ast"
	"go/doc"
	"path/filepath"
	"strings"
	"testing"
)

// entryPoints are what a service begins with. Each has an example. That of Main has no output, as
// Main ends the process; the others are run.
var entryPoints = []string{
	"Main", "Run", "App_Dial", "App_HTTPClient", "App_Go", "App_Health", "App_Handle",
	"Draining", "CallerOf", "Secret", "Error", "ErrorOf", "Service_logSinks",
}

func TestEntryPointsHaveExamples(t *testing.T) {
	found := map[string]*doc.Example{}
	for _, e := range doc.Examples(testFiles(t, filepath.Join(root, "chassis"))...) {
		found[e.Name] = e
	}
	for _, name := range entryPoints {
		switch e := found[name]; {
		case e == nil:
			t.Errorf("package chassis has no Example%s", name)
		case e.Output == "" && name != "Main":
			t.Errorf("Example%s has no output to check", name)
		case e.Doc == "":
			t.Errorf("Example%s does not say in a sentence what it is for", name)
		}
	}
}

// messagesWithRules are generated code of validate's own, in the place of a service's: there is
// none that a user can import.
const messagesWithRules = module + "validate/internal/proto/validatetest/v1"

// What a newcomer copies compiles outside of the module: a file with examples of a public package
// imports nothing internal.
func TestExamplesImportWhatUsersCan(t *testing.T) {
	seen := 0
	for _, dir := range publicPackages(t) {
		for _, file := range testFiles(t, filepath.Join(root, dir)) {
			if len(doc.Examples(file)) == 0 {
				continue
			}
			seen++
			for _, spec := range file.Imports {
				imported := strings.Trim(spec.Path.Value, `"`)
				if isInternal(imported) && imported != messagesWithRules {
					t.Errorf("%s: %s has examples and imports %s", dir, doc.Examples(file)[0].Name, imported)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("found %d files with examples, want the test to see them all", seen)
	}
}

func testFiles(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		files = append(files, parse(t, name))
	}
	return files
}
