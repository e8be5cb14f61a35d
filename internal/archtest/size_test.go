package archtest_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const mostDependencies = 16

// mostNames are the limits of exported names, for each public package. One more name is a promise
// more: raise a limit only with a reason why nothing else can go.
var mostNames = map[string]int{
	"chassis":              40,
	"chassis/mtls":         24,
	"chassis/chassistest":  11,
	"health":               11,
	"telemetry":            6,
	"telemetry/alerts":     1,
	"telemetry/dashboards": 1,
	"middleware":           12,
	"jwt":                  3,
	"validate":             2,
}

const mostNamesInAll = 105

func TestFewDirectDependencies(t *testing.T) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(output(t, "go", "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, r := range mod.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	if len(direct) == 0 || len(direct) > mostDependencies {
		t.Errorf("go.mod has %d direct requirements, want at most %d; which of them does not earn its line?\n%s",
			len(direct), mostDependencies, strings.Join(direct, "\n"))
	}
}

func TestFewNames(t *testing.T) {
	sum := 0
	for _, path := range publicPackages(t) {
		names := exported(t, filepath.Join(root, path))
		sum += len(names)
		most, limited := mostNames[path]
		switch {
		case !limited:
			t.Errorf("package %s has no limit in mostNames: it exports %d names", path, len(names))
		case len(names) == 0 || len(names) > most:
			t.Errorf("package %s exports %d names, want at most %d:\n%s", path, len(names), most, strings.Join(names, "\n"))
		}
		t.Logf("%-20s %3d of %d", path, len(names), most)
	}
	if sum > mostNamesInAll {
		t.Errorf("the public packages export %d names, want at most %d: what does nobody outside need?", sum, mostNamesInAll)
	}
	t.Logf("%-20s %3d of %d", "all", sum, mostNamesInAll)
}

// exported returns the exported names at the top level of the package in dir, without methods and
// fields.
func exported(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			for _, ident := range declared(decl) {
				if ident.IsExported() {
					names = append(names, ident.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

func declared(decl ast.Decl) (names []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		}
	}
	return names
}
