package archtest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
)

// docs/attacks.md says by which test an attack is held: there are these tests, and it names every
// attack from outside.
func TestAttacksAreTested(t *testing.T) {
	const root = "../.."
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range testFunc.FindAllSubmatch(source, -1) {
			tests[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "attacks.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, found := range testName.FindAllSubmatch(text, -1) {
		named[string(found[1])] = true
	}
	if len(named) < 50 {
		t.Errorf("docs/attacks.md names %d tests", len(named))
	}
	for name := range named {
		if !tests[name] {
			t.Errorf("docs/attacks.md: there is no %s", name)
		}
	}
	for name := range tests {
		if strings.HasPrefix(name, "TestAttack") && name != t.Name() && !named[name] {
			t.Errorf("docs/attacks.md does not name %s", name)
		}
	}
}
