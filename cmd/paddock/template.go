package main

import (
	_ "embed"
	"fmt"
	"go/format"
	"path"
	"strings"

	"golang.org/x/tools/txtar"
)

// templateText is examples/template, which is a module of its own and so cannot be embedded as it
// is. make generate writes it, and a test compares the two.
//
//go:embed template.txtar
var templateText []byte

// replaceLine is how the template finds the chassis beside it.
const replaceLine = "replace github.com/betmakers/paddock => ../..\n"

// render returns the files of a new service, by their paths with slashes.
func render(name, module string, from origin) ([]txtar.File, error) {
	rename := renamer(name, module)
	files := txtar.Parse(templateText).Files
	for i := range files {
		f := &files[i]
		text, err := renameFile(f.Name, string(f.Data), rename)
		if err != nil {
			return nil, fmt.Errorf("rendering %s: %w", f.Name, err)
		}
		f.Name = rename.Replace(f.Name)
		if f.Name == "go.mod" {
			if text, err = from.require(text); err != nil {
				return nil, err
			}
		}
		f.Data = []byte(text)
	}
	return files, nil
}

func renameFile(name, text string, rename *strings.Replacer) (string, error) {
	if path.Ext(name) != ".go" {
		return rename.Replace(text), nil
	}
	text, err := renameGenerated(text, rename)
	if err != nil {
		return "", err
	}
	formatted, err := format.Source([]byte(text)) // imports are in another order
	return string(formatted), err
}
