package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clamp has a test that knows nothing of its boundary and of its second statement.
var clamp = map[string]string{
	"go.mod": "module clamp\n\ngo 1.26.0\n",
	"clamp.go": `package clamp

import "runtime"

var yields = 1

func clamp(x, most int) int {
	runtime.Gosched()
	if x > most {
		return most
	}
	for range yields {
	}
	return x
}
`,
	"clamp_test.go": `package clamp

import "testing"

func TestClamp(t *testing.T) {
	if clamp(9, 5) != 5 || clamp(2, 5) != 2 {
		t.Error("wrong")
	}
}
`,
}

// inModule writes files into a folder and works there.
func inModule(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "off")
}

func TestSurvivorsAreNamedAndTheTreeIsLeftAlone(t *testing.T) {
	inModule(t, clamp)
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	err := run(t.Context(), []string{"-n", "0", "."}, &out)
	if err == nil || !strings.Contains(err.Error(), "score 40.0 %, expected at least 95 %") {
		t.Errorf("got %v, want it to say that the score is too low", err)
	}
	for _, want := range []string{
		"clamp.go:8: survived\n\t- runtime.Gosched()\n\t+ _ = func() { runtime.Gosched() }\n",
		"clamp.go:9: survived\n\t- if x > most {\n\t+ if x >= most {\n",
		"of 5 changes 2 were noticed",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	for name, text := range clamp {
		if now, err := os.ReadFile(name); err != nil || string(now) != text {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("%d folders were left behind", len(left))
	}
}

func TestEquivalentChangesAreLeftOut(t *testing.T) {
	inModule(t, clamp)
	list := filepath.Join(t.TempDir(), "equivalent.txt")
	text := "# a comment\n\nclamp.go | if x > most { | if x >= most { | both return most\n" +
		"clamp.go | runtime.Gosched() | _ = func() { runtime.Gosched() } | it yields\nclamp.go | var yields = 1 | var yields = 2 | as above\n"
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-n", "0", "-equivalent", list, "."}, &out); err != nil {
		t.Errorf("%v:\n%s", err, &out)
	}
	if want := "3 listed as equivalent"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}

func TestTestsThatFailWithoutAChangeAreRefused(t *testing.T) {
	files := map[string]string{"go.mod": clamp["go.mod"], "clamp.go": clamp["clamp.go"]}
	files["clamp_test.go"] = strings.Replace(clamp["clamp_test.go"], "!= 5", "!= 4", 1)
	inModule(t, files)
	if err := run(t.Context(), []string{"."}, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "do not pass without any change") {
		t.Errorf("got %v", err)
	}
}

func TestChangesOfEachKind(t *testing.T) {
	for _, test := range []struct {
		source string
		want   []string
	}{
		{"return a < b", []string{"return a <= b", "return a >= b"}},
		{"return a == b && c", []string{"return a == b || c", "return a != b && c"}},
		{"return a + 2", []string{"return a - 2", "return a + 3"}},
		{"return 1.5", []string{"return 3"}},
		{"return true", []string{"return false"}},
		{"a += b", []string{"_ = func() { a += b }", "a -= b"}},
		{"a++", []string{"_ = func() { a++ }", "a--"}},
		{"if a { b() }", []string{"if !(a) { b() }", "if a { _ = func() { b() } }"}},
		{"for a { }", []string{"for !(a) { }"}},
		{"switch { case a: b() }", []string{"switch { case a: _ = func() { b() } }"}},
		{"switch { case a, b, c: }", []string{"switch { case b, c: }", "switch { case a, c: }", "switch { case a, b: }"}},
		{"defer b()", []string{"_ = func() { defer b() }"}},
		{"a <- b", []string{"_ = func() { a <- b }"}},
		{"a := b", nil},
	} {
		source := "package p\n\nfunc f() {\n\t" + test.source + "\n}\n"
		found, err := mutantsOf("p.go", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range found {
			_, after := m.lines(source)
			got = append(got, after)
			if m.line != 4 {
				t.Errorf("%s: line %d, want 4", test.source, m.line)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.source, got, test.want)
		}
	}
}
