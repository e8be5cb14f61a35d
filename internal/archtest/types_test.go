package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// The limits of one type. A type beyond them does the work of several.
const (
	mostMethods = 35
	mostFiles   = 3 // with its declaration and with its methods
)

// size is how much there is of a type.
type size struct {
	methods int
	files   map[string]bool
}

// TestNoTypeIsTheWorkOfSeveral looks at every package of the root module.
func TestNoTypeIsTheWorkOfSeveral(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		for name, s := range typesOf(t, filepath.Join(root, path)) {
			seen++
			if s.methods > mostMethods || len(s.files) > mostFiles {
				t.Errorf("%s.%s has %d methods in %d files, expected at most %d in %d: give what it owns an owner",
					path, name, s.methods, len(s.files), mostMethods, mostFiles)
			}
		}
	}
	if seen < 300 {
		t.Errorf("found %d types, want the test to see them all", seen)
	}
}

// typesOf returns the types that the package in dir declares outside of its tests.
func typesOf(t *testing.T, dir string) map[string]*size {
	t.Helper()
	found := map[string]*size{}
	of := func(name, file string) *size {
		if found[name] == nil {
			found[name] = &size{files: map[string]bool{}}
		}
		found[name].files[file] = true
		return found[name]
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil {
					of(receiver(d.Recv.List[0].Type), file).methods++
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if declared, ok := spec.(*ast.TypeSpec); ok {
						of(declared.Name.Name, file)
					}
				}
			}
		}
	}
	return found
}

// receiver returns the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
