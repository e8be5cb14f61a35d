package archtest_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	goBlock     = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	exampleFile = regexp.MustCompile(`example.*_test\.go$`)
)

// The Go code of README and docs/ is code that is compiled and tested: each function, type and
// import of it stands in a file of examples/ or in an example, but for white space. What is part of
// a function only, as most of docs/ shows, is at least Go.
func TestSnippetsAreCompiledCode(t *testing.T) {
	code := compiled(t)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	tasks, _ := filepath.Glob(filepath.Join(root, "docs", "tasks", "*.md")) // the pattern is valid
	pages = append(pages, tasks...)
	if err != nil {
		t.Fatal(err)
	}
	readme, whole, parts := filepath.Join(root, "README.md"), 0, 0
	for _, page := range append(pages, readme) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			declared := declarations(string(block[1]))
			whole += len(declared)
			for _, d := range declared {
				if !strings.Contains(code, words(d)) {
					t.Errorf("%s: no file of examples/, and no example, has\n%s", page, d)
				}
			}
			if declared != nil {
				continue
			}
			if page == readme {
				t.Errorf("README shows a part of a function, which nothing compiles:\n%s", block[1])
			}
			parts++
			if err := statements(string(block[1])); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, block[1])
			}
		}
	}
	if whole < 3 || parts < 3 {
		t.Errorf("found %d declarations and %d parts, want the test to see them all", whole, parts)
	}
}

// declarations returns the functions, types and imports that source is made of, nil if it is
// something else.
func declarations(source string) (all []string) {
	const head = "package p\n"
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", head+source, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	text := func(n ast.Node) string {
		return (head + source)[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset]
	}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			for _, spec := range g.Specs {
				all = append(all, text(spec))
			}
			continue
		}
		all = append(all, text(d))
	}
	return all
}

// statements returns why source, the pieces of which stand between lines of "…", is no part of a
// function.
func statements(source string) error {
	for piece := range strings.SplitSeq(source, "\n…\n") {
		_, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc _() {\n"+piece+"\n}", parser.SkipObjectResolution)
		if err != nil {
			return err
		}
	}
	return nil
}

// compiled returns the words of all files of examples/ and of all files with examples.
func compiled(t *testing.T) string {
	t.Helper()
	var code bytes.Buffer
	examples := filepath.Join(root, "examples")
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" {
			return err
		}
		if !strings.HasPrefix(name, examples) && !exampleFile.MatchString(filepath.Base(name)) {
			return nil
		}
		source, err := os.ReadFile(name)
		code.WriteString(words(string(source)) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return code.String()
}

// words returns source with its white space made one.
func words(source string) string { return strings.Join(strings.Fields(source), " ") }

func TestDeclarations(t *testing.T) {
	for source, want := range map[string]int{
		"func f() {}\n\n// g is g.\nfunc g() {}\n":      2,
		"import (\n\t\"a\"\n\t\"b\"\n)\n\ntype T int\n": 3,
		"x := 1\n":            0,
		"chassis.Service{}\n": 0,
		"func f() { return\n": 0,
	} {
		if got := declarations(source); len(got) != want {
			t.Errorf("%q has %q, want %d declarations", source, got, want)
		}
	}
	if err := statements("a, err := b() // there\n…\nreturn a\n"); err != nil {
		t.Error(err)
	}
	if statements("a := := b\n") == nil {
		t.Error("what is no Go is taken for it")
	}
}
