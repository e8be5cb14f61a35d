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

const (
	mostDependencies = 16
	mostNames        = 40
	mostNamesOfDoor  = 12
)

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

func TestFewNamesInChassis(t *testing.T) {
	names := exported(t, "../../chassis")
	if !slices.Contains(names, "Main") || len(names) > mostNames {
		t.Errorf("package chassis exports %d names, want at most %d:\n%s", len(names), mostNames, strings.Join(names, "\n"))
	}
}

func TestFewNamesInMiddleware(t *testing.T) {
	names := exported(t, "../../middleware")
	if !slices.Contains(names, "NewServer") || len(names) > mostNamesOfDoor {
		t.Errorf("package middleware exports %d names, want at most %d:\n%s", len(names), mostNamesOfDoor, strings.Join(names, "\n"))
	}
}

// exported returns the exported names at the top level of the package in dir, without methods and fields.
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
