package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// notPublic are folders that have no package for others to import: programs, tools, and generated
// code, whose names are those of its proto.
var notPublic = []string{"internal", "testdata", "bench", "cmd", "conformance", "examples", "proto", "third_party", "tools"}

// publicPackages returns the folders of all packages that a user can import, those of nested
// modules too.
func publicPackages(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		name := entry.Name()
		if dir != root && (strings.HasPrefix(name, ".") || slices.Contains(notPublic, name)) {
			return fs.SkipDir
		}
		if files := parsed(t, dir); len(files) > 0 && files[0].Name.Name != "main" {
			rel, err := filepath.Rel(root, dir)
			paths = append(paths, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(paths, "chassis") || len(paths) < 8 {
		t.Fatalf("found the public packages %q, want the test to see them all", paths)
	}
	return paths
}

// parsed returns the files of the package in dir, without its tests.
func parsed(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			files = append(files, parse(t, name))
		}
	}
	return files
}

func parse(t *testing.T, name string) *ast.File {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A user can write down every type that a public name is made of, and read its fields and methods
// where the name is documented: no public name has an internal type in it.
func TestPublicNamesHaveNoInternalTypes(t *testing.T) {
	for _, dir := range publicPackages(t) {
		for _, file := range parsed(t, filepath.Join(root, dir)) {
			internal := internalImports(file)
			for _, decl := range file.Decls {
				for name, node := range shown(decl) {
					ast.Inspect(node, func(n ast.Node) bool {
						if s, ok := n.(*ast.SelectorExpr); ok && internal[identifier(s.X)] {
							t.Errorf("%s: %s has %s.%s in it, which is internal", dir, name, identifier(s.X), s.Sel.Name)
						}
						return true
					})
				}
			}
		}
	}
}

// internalImports returns the names under which file imports internal packages.
func internalImports(file *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, spec := range file.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		if !isInternal(imported) {
			continue
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = true
	}
	return names
}

func isInternal(imported string) bool {
	return slices.Contains(strings.Split(imported, "/"), "internal")
}

func identifier(e ast.Expr) string {
	if i, ok := e.(*ast.Ident); ok {
		return i.Name
	}
	return ""
}

// shown returns what the documentation shows of a declaration's exported names: signatures without
// bodies, and types without their unexported fields.
func shown(decl ast.Decl) map[string]ast.Node {
	all := map[string]ast.Node{}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		of := ""
		if d.Recv != nil {
			of = receiver(d.Recv.List[0].Type)
		}
		if d.Name.IsExported() && (of == "" || ast.IsExported(of)) {
			all[strings.TrimPrefix(of+"."+d.Name.Name, ".")] = d.Type
		}
	case *ast.GenDecl:
		ast.Inspect(d, func(n ast.Node) bool { // what is left is what is exported
			if s, ok := n.(*ast.StructType); ok {
				s.Fields.List = slices.DeleteFunc(s.Fields.List, func(f *ast.Field) bool { return !exportedField(f) })
			}
			return true
		})
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					all[s.Name.Name] = s.Type
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && s.Type != nil {
					all[s.Names[0].Name] = s.Type
				}
			}
		}
	}
	return all
}

func exportedField(f *ast.Field) bool {
	if len(f.Names) > 0 {
		return slices.ContainsFunc(f.Names, (*ast.Ident).IsExported)
	}
	switch e := f.Type.(type) { // embedded
	case *ast.Ident:
		return e.IsExported()
	case *ast.StarExpr:
		return exportedField(&ast.Field{Type: e.X})
	default:
		return true // of another package
	}
}
