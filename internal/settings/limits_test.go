package settings_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/internal/settings"
)

type limited struct {
	Size    int           `env:"SIZE, default=4" min:"1" max:"8"`
	Offset  int64         `env:"OFFSET" min:"0"`
	Ratio   float64       `env:"RATIO" min:"0" max:"1"`
	Port    uint16        `env:"PORT" max:"1024"`
	Timeout time.Duration `env:"TIMEOUT, default=10s" min:"1ns"`
	Pause   time.Duration `env:"PAUSE" min:"10ms"`
	Mode    string        `env:"MODE, default=on" oneof:"on off"`
	Modes   []string      `env:"MODES" oneof:"a b"`
	Sizes   []int         `env:"SIZES" max:"3"`
	Level   slog.Level    `env:"LEVEL, default=INFO" min:"INFO"`
	Maybe   *int          `env:"MAYBE, noinit" min:"2"`
	Token   string        `env:"TOKEN" oneof:"x y"`
}

func TestLimits(t *testing.T) {
	for name, test := range map[string]struct {
		value string
		want  string // the error, empty where the value is allowed
	}{
		"SIZE at the least":   {"1", ""},
		"SIZE at the most":    {"8", ""},
		"SIZE below":          {"0", "SIZE is 0; it must be between 1 and 8"},
		"SIZE above":          {"9", "SIZE is 9; it must be between 1 and 8"},
		"SIZE unread":         {"x", `SIZE: "x" is not a valid int`},
		"OFFSET at the least": {"0", ""},
		"OFFSET below":        {"-1", "OFFSET is -1; it must not be negative"},
		"RATIO within":        {"0.5", ""},
		"RATIO above":         {"1.01", "RATIO is 1.01; it must be between 0 and 1"},
		"RATIO is none":       {"NaN", "RATIO is NaN; it must be between 0 and 1"},
		"PORT within":         {"1024", ""},
		"PORT above":          {"1025", "PORT is 1025; it must be at most 1024"},
		"TIMEOUT the least":   {"1ns", ""},
		"TIMEOUT below":       {"0s", "TIMEOUT is 0s; it must be more than zero"},
		"PAUSE below":         {"9ms", "PAUSE is 9ms; it must be at least 10ms"},
		"MODE allowed":        {"off", ""},
		"MODE in capitals":    {"OFF", `MODE is "OFF"; it must be one of ["on" "off"]`},
		"MODES allowed":       {"b,a,b", ""},
		"MODES one wrong":     {"b,c,d", `MODES is "c"; it must be one of ["a" "b"]`},
		"SIZES allowed":       {"1,2,3", ""},
		"SIZES one above":     {"1,4", "SIZES is 4; it must be at most 3"},
		"LEVEL allowed":       {"warn", ""},
		"LEVEL below":         {"debug", "LEVEL is DEBUG; it must be at least INFO"},
		"MAYBE allowed":       {"2", ""},
		"MAYBE below":         {"1", "MAYBE is 1; it must be at least 2"},
		"TOKEN allowed":       {"y", ""},
		"TOKEN wrong":         {"hunter2", `TOKEN: its value must be one of ["x" "y"]`},
	} {
		t.Run(name, func(t *testing.T) {
			variable, _, _ := strings.Cut(name, " ")
			list, err := load(t, false, map[string]string{variable: test.value}, new(limited))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want %q allowed", err, test.value)
			case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			case list[variable].Wrong != (test.want != ""):
				t.Errorf("Wrong is %t", list[variable].Wrong)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has the secret: %v", err)
			}
		})
	}
}

func TestLimitsAreAllReported(t *testing.T) {
	_, err := load(t, false, map[string]string{"SIZE": "0", "MODE": "maybe", "OFFSET": "-1", "PAUSE": "soon"}, new(limited))
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"SIZE", "MODE", "OFFSET", "PAUSE"} {
		if strings.Count(err.Error(), name) != 1 {
			t.Errorf("want %s once in:\n%v", name, err)
		}
	}
}

// What nobody has set needs no value: "required" is for that. A default and what the program has
// put there are held to the limits as any other value.
func TestLimitsOfWhatIsNotSet(t *testing.T) {
	if _, err := load(t, false, nil, new(limited)); err != nil {
		t.Errorf("nothing is set: %v", err)
	}
	if _, err := load(t, false, nil, &limited{Pause: time.Millisecond}); err == nil || !strings.Contains(err.Error(), "PAUSE is 1ms") {
		t.Errorf("got %v for a value of the program's", err)
	}
	var defaults struct {
		Size int `env:"SIZE, default=9" dev:"10" max:"8"`
	}
	if _, err := load(t, false, nil, &defaults); err == nil || !strings.Contains(err.Error(), "SIZE is 9") {
		t.Errorf("got %v for a default", err)
	}
	if _, err := load(t, true, nil, &defaults); err == nil || !strings.Contains(err.Error(), "SIZE is 10") {
		t.Errorf("got %v for the default in development", err)
	}
}

// A tag that cannot be read is found whatever the variable holds.
func TestTagsThatCannotBeRead(t *testing.T) {
	for want, target := range map[string]any{
		`field A: its tag min is "soon"`: &struct {
			A time.Duration `env:"A" min:"soon"`
		}{},
		`field B: its tag max is "", which`: &struct {
			B int `env:"B" max:""`
		}{},
		`field C: its tag min is "a", which is no limit of type string`: &struct {
			C string `env:"C" min:"a"`
		}{},
		`field D: its tag oneof is empty`: &struct {
			D string `env:"D" oneof:" "`
		}{},
		`field E: "x" in its tag oneof is no value of type int`: &struct {
			E int `env:"E" oneof:"1 x"`
		}{},
		"field F has a tag oneof beside min or max": &struct {
			F int `env:"F" oneof:"1" min:"1"`
		}{},
		"field G: its min 5 is more than its max 4": &struct {
			G int `env:"G" min:"5" max:"4"`
		}{},
		`field H: its tag min is "1", which`: &struct {
			H map[string]int `env:"H" min:"1"`
		}{},
		`field I: "x" in its tag oneof is no value of type chassis.Secret[string]`: &struct {
			I chassis.Secret[string] `env:"I" oneof:"x"`
		}{},
	} {
		if _, err := load(t, false, nil, target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestLimitsAreShown(t *testing.T) {
	list, err := load(t, false, nil, new(limited))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"SIZE": "between 1 and 8", "OFFSET": "not negative", "PORT": "at most 1024", "TIMEOUT": "more than zero",
		"PAUSE": "at least 10ms", "MODE": "one of on, off", "LEVEL": "at least INFO",
	} {
		if got := list[name].Limits; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	var help strings.Builder
	if err := settings.Usage(&help, []settings.Setting{list["MODE"], list["PAUSE"]}); err != nil {
		t.Fatal(err)
	}
	if want := "  MODE (default on), one of on, off\n  PAUSE, at least 10ms\n"; help.String() != want {
		t.Errorf("got %q, want %q", help.String(), want)
	}
}

// Help is wrapped between words, and nothing of it is lost.
func TestHelpIsWrapped(t *testing.T) {
	text := strings.Repeat("é ", 80) + strings.Repeat("x", 120) + " and  more"
	var help strings.Builder
	if err := settings.Usage(&help, []settings.Setting{{Name: "A", Help: text}}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(help.String(), "\n"), "\n")
	if got, want := strings.Fields(strings.Join(lines[1:], " ")), strings.Fields(text); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, line := range lines[1:] {
		if words := strings.Fields(line); len(words) > 1 && utf8.RuneCountInString(line) > 100 || !strings.HasPrefix(line, "        ") {
			t.Errorf("line %q", line)
		}
	}
	if len(lines) != 5 { // the name, two of letters, the long word, and the rest
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}
