package archtest_test

import (
	"slices"
	"testing"
)

// TestNoTemplates holds the size of services down. Templates call methods by names that are known
// at run time only, so with one of these packages the linker keeps every exported method in the
// program: a sixth of the hello example. Pages are written with internal/html.
func TestNoTemplates(t *testing.T) {
	for _, p := range packages(t) {
		for _, template := range []string{"text/template", "html/template"} {
			if slices.Contains(p.Imports, template) {
				t.Errorf("%s imports %s, which makes every service some 3.5 MB larger: write the text in Go, and pages with internal/html",
					p.ImportPath, template)
			}
		}
	}
}
