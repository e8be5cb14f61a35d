package logline_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/betmakers/paddock/internal/logline"
)

// hostile is what callers send to break a log.
func hostile() []string {
	return []string{
		"", "plain", `"quotes" and \ backslash`, "line\nfeed\r\nand tab\t", "\x00\x01\x1b[31mred\x1b[0m\x7f", "bad \xff\xfe utf-8 \xc3",
		"\u0085\u009b31m C1", "separators \u2028\u2029", "\u202eother way round\u2066\u061c\u200f", "</script>&", "日本語 🐎", "\xed\xa0\x80 surrogate", `{"level":"ERROR"}`,
		strings.Repeat("long ", 2000), strings.Repeat("é", 5000),
	}
}

func TestAppendStringEscapesControls(t *testing.T) {
	for _, s := range hostile() {
		for _, r := range string(logline.AppendString(nil, s)) {
			if unicode.In(r, unicode.Cc, unicode.Bidi_Control) || r == '\u2028' || r == '\u2029' {
				t.Errorf("%q is written with %U in it", s, r)
			}
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range hostile() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := logline.AppendString([]byte("kept"), s)
		if string(got[:4]) != "kept" {
			t.Fatalf("appended to kept: %q", got)
		}
		reference, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var ours, theirs string
		if err := json.Unmarshal(got[4:], &ours); err != nil {
			t.Fatalf("%q is written as %q: %v", s, got[4:], err)
		}
		if err := json.Unmarshal(reference, &theirs); err != nil {
			t.Fatal(err)
		}
		if ours != theirs {
			t.Errorf("%q reads back as %q, encoding/json's as %q", s, ours, theirs)
		}
	})
}
