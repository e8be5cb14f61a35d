// Package report writes the counts of a run.
package report

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// setting names the file that counts are appended to. make conformance sets it; make test does not.
const setting = "CONFORMANCE"

// Long reports whether everything is to be run, and not only what costs little.
func Long() bool { return os.Getenv(setting) != "" }

// Table is a table of counts. Its zero value is empty.
type Table struct {
	lines []string
}

// Row adds a row. The first one is the heading.
func (t *Table) Row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
	}
	t.lines = append(t.lines, "| "+strings.Join(texts, " | ")+" |")
	if len(t.lines) == 1 {
		t.lines = append(t.lines, "|"+strings.Repeat("---|", len(cells)))
	}
}

// Write logs the table, and appends it to the file of the run if there is one.
func (t *Table) Write(tb testing.TB, title string) {
	tb.Helper()
	text := title + "\n\n" + strings.Join(t.lines, "\n") + "\n"
	tb.Log("\n" + text)
	if !Long() {
		return
	}
	file, err := os.OpenFile(os.Getenv(setting), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := fmt.Fprintln(file, text); err != nil {
		tb.Error(err)
	}
	if err := file.Close(); err != nil {
		tb.Error(err)
	}
}
