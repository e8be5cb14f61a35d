// Package known reads lists of known differences, and holds what is found against them.
//
// A list is a text file of entries, separated by empty lines, in sections:
//
//	[intended]
//
//	reason: errors are problem details
//	subject: ^GET
//	differs: ^header Content-Type: .* -> \["application/problem\+json"\]$
//
// subject and differs are regular expressions. subject may be missing, which is any; differs may
// stand several times. Lines that begin with # are comments. What is found must match an entry, and
// each entry must match something, but for those of the section "sometimes".
package known

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// List is the entries of a file. Use one from one goroutine at a time.
type List struct {
	file    string
	entries []*entry
}

type entry struct {
	section, reason string
	subject         *regexp.Regexp // nil for any
	differs         []*pattern
}

// pattern is a line of an entry.
type pattern struct {
	*regexp.Regexp
	line int
	used int
}

// Read reads the list in file.
func Read(tb testing.TB, file string) *List {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	l := &List{file: file}
	if err := l.parse(string(text)); err != nil {
		tb.Fatal(err)
	}
	return l
}

func (l *List) parse(text string) error {
	section, open := "", new(entry)
	add := func() error {
		switch {
		case open.reason == "" && open.differs == nil && open.subject == nil:
			return nil
		case open.reason == "" || open.differs == nil:
			return fmt.Errorf("%s: an entry of section %q has no reason, or nothing that differs", l.file, section)
		}
		open.section = section
		l.entries = append(l.entries, open)
		open = new(entry)
		return nil
	}
	for i, line := range strings.Split(text+"\n", "\n") {
		key, value, _ := strings.Cut(line, ": ")
		var err error
		switch {
		case line == "":
			err = add()
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		case key == "reason":
			open.reason = value
		case key == "subject":
			open.subject, err = regexp.Compile(value)
		case key == "differs":
			var re *regexp.Regexp
			re, err = regexp.Compile(value)
			open.differs = append(open.differs, &pattern{Regexp: re, line: i + 1})
		default:
			err = fmt.Errorf("%q is no line of a list", line)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", l.file, i+1, err)
		}
	}
	return nil
}

// Explain returns the section of the first entry that matches a difference of subject, and whether
// there is one.
func (l *List) Explain(subject, difference string) (section string, ok bool) {
	difference = strings.ReplaceAll(difference, "\n", `\n`)
	for _, e := range l.entries {
		if e.subject != nil && !e.subject.MatchString(subject) {
			continue
		}
		for _, p := range e.differs {
			if p.MatchString(difference) {
				p.used++
				return e.section, true
			}
		}
	}
	return "", false
}

// CheckUsed fails the test for each line that has matched nothing.
func (l *List) CheckUsed(tb testing.TB) {
	tb.Helper()
	for _, e := range l.entries {
		for _, p := range e.differs {
			if p.used == 0 && e.section != "sometimes" {
				tb.Errorf("%s:%d: nothing differs like this any more: remove %q (%s: %s)", l.file, p.line, p, e.section, e.reason)
			}
		}
	}
}

// Used returns the number of differences that each section has explained.
func (l *List) Used() map[string]int {
	used := map[string]int{}
	for _, e := range l.entries {
		for _, p := range e.differs {
			used[e.section] += p.used
		}
	}
	return used
}
