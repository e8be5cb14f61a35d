package main // the documentation is rendered inside

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestDocumentationIsNotStale(t *testing.T) {
	got, err := os.ReadFile("../../../" + target)
	if err != nil {
		t.Fatal(err)
	}
	want, err := render()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs from chassis.Config: run `make generate`", target)
	}
}

// What people write about settings names some that exist; a table that states defaults states the
// right ones.
func TestProseIsRight(t *testing.T) {
	list, err := read()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"README.md", "CHANGELOG.md", "docs/performance.md"} {
		text, err := os.ReadFile("../../../" + file)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, problem := range wrong(string(text), list) {
			t.Errorf("%s: %s", file, problem)
		}
	}
}

func TestWrongProseIsFound(t *testing.T) {
	list := []setting{{name: "CHASSIS_A", fallback: "5s", development: "0s"}, {name: "CHASSIS_B"}, {name: "CHASSIS_C_X", fallback: "1"}}
	for text, want := range map[string]string{
		"set `CHASSIS_A=1s` and CHASSIS_B":                  "",
		"CHASSIS_* and CHASSIS_<NAME>_TARGET are for later": "",
		"CHASSIS_D": "CHASSIS_D is no setting",
		"| setting | default |\n|---|---|\n| `CHASSIS_A` | `5s` |":      "",
		"| `CHASSIS_A` | 5s (`0s` in development) | drain |":            "",
		"| `CHASSIS_A` | `4s` |":                                        "CHASSIS_A: the default is 5s",
		"| `CHASSIS_A` | `5s`, `1s` in development |":                   "CHASSIS_A: the default in development is 0s",
		"| `CHASSIS_B` | | nothing |":                                   "",
		"| `CHASSIS_A`, `CHASSIS_C_X` | two at once are not compared |": "",
	} {
		if got := strings.Join(wrong(text, list), "; "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

var (
	mention = regexp.MustCompile(`CHASSIS_[A-Z0-9_]*[A-Z0-9]\b`)
	row     = regexp.MustCompile("(?m)^\\| *`(CHASSIS_[A-Z0-9_]+)` *\\|([^|]*)\\|")
)

// wrong returns what text says about settings that is not so. In a table it compares the second
// cell.
func wrong(text string, list []setting) (problems []string) {
	find := func(name string) int {
		return slices.IndexFunc(list, func(s setting) bool { return s.name == name })
	}
	for _, name := range mention.FindAllString(text, -1) {
		if find(name) < 0 {
			problems = append(problems, name+" is no setting")
		}
	}
	for _, cells := range row.FindAllStringSubmatch(text, -1) {
		i := find(cells[1])
		if i < 0 {
			continue
		}
		s, said := list[i], cells[2]
		if !strings.Contains(said, s.fallback) {
			problems = append(problems, s.name+": the default is "+s.fallback)
		}
		if strings.Contains(said, "development") && !strings.Contains(said, s.development) {
			problems = append(problems, s.name+": the default in development is "+s.development)
		}
	}
	return problems
}
