package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

const templateDir = "../../examples/template"

// The template that is embedded is the one that is compiled and tested. PADDOCK_UPDATE=1 writes it.
func TestTemplateIsCurrent(t *testing.T) {
	want := txtar.Format(archive(t))
	if os.Getenv("PADDOCK_UPDATE") != "" {
		if err := os.WriteFile("template.txtar", want, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(templateText, want) {
		t.Error("template.txtar is not examples/template: run make generate, and commit what it writes")
	}
}

// archive has the files of the template, without what its make has made.
func archive(t *testing.T) *txtar.Archive {
	t.Helper()
	a := &txtar.Archive{Comment: []byte("Made from examples/template by make generate; do not edit.\n")}
	err := filepath.WalkDir(templateDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if name == ".bin" || name == "third_party" || name == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		if strings.Contains(name, ".db") {
			return nil
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(templateDir, path)
		a.Files = append(a.Files, txtar.File{Name: filepath.ToSlash(rel), Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A person edits at most 15 files. The others are made, copied, or marked in their first line as
// the template's, which is what an upgrade of it goes by.
func TestFewFilesToEdit(t *testing.T) {
	var edited, managed []string
	for _, f := range txtar.Parse(templateText).Files {
		first, _, _ := strings.Cut(string(f.Data), "\n")
		switch {
		case strings.Contains(first, "paddock:managed"):
			managed = append(managed, f.Name)
		case strings.HasPrefix(f.Name, "gen/"), strings.HasSuffix(f.Name, "go.sum"), f.Name == "CONTRACT.md", f.Name == "proto/prices/v1/prices.proto":
		default:
			edited = append(edited, f.Name)
		}
	}
	if len(edited) > 15 {
		t.Errorf("a person edits %d files, want at most 15:\n%s", len(edited), strings.Join(edited, "\n"))
	}
	for _, name := range []string{"Makefile", "Dockerfile", ".github/workflows/ci.yml", "buf.yaml", "buf.gen.yaml", "tools/go.mod", "deploy/networkpolicy.yaml"} {
		if !slices.Contains(managed, name) {
			t.Errorf("%s is not marked as managed", name)
		}
	}
}
