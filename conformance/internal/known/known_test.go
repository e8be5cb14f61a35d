package known

import (
	"fmt"
	"strings"
	"testing"
)

const list = `# a comment
[intended]

reason: the one
subject: ^GET
differs: ^status: 1
differs: ^status: 2

[sometimes]

reason: the other
differs: ^race
`

func TestList(t *testing.T) {
	l := &List{file: "list"}
	if err := l.parse(list); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		subject, difference, section string
		ok                           bool
	}{
		{"GET /", "status: 1", "intended", true},
		{"POST /", "status: 1", "", false},
		{"GET /", "status: 3", "", false},
		{"POST /", "race of something", "sometimes", true},
	} {
		if section, ok := l.Explain(c.subject, c.difference); section != c.section || ok != c.ok {
			t.Errorf("%s, %s: %s, %v", c.subject, c.difference, section, ok)
		}
	}
	if got := fmt.Sprint(l.Used()); got != "map[intended:1 sometimes:1]" {
		t.Error(got)
	}
	unused := new(recorder)
	l.CheckUsed(unused)
	if len(unused.errors) != 1 || !strings.Contains(unused.errors[0], "list:7:") {
		t.Errorf("got %q, want one complaint, of line 7", unused.errors)
	}
}

func TestListIsRefused(t *testing.T) {
	for _, text := range []string{"reason: none differs", "differs: ^no reason", "reason: a\ndiffers: (", "reason: a\nwhat: is this"} {
		if err := new(List).parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
