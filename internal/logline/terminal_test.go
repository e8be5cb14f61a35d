package logline_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/betmakers/paddock/internal/logline"
)

func TestIsTerminal(t *testing.T) {
	open := func(path string) *os.File {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Skipf("there is no %s here: %v", path, err)
		}
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	closed := open(filepath.Join(t.TempDir(), "closed"))
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		out  io.Writer
		want bool
	}{
		"a buffer":          {new(bytes.Buffer), false},
		"a plain file":      {open(filepath.Join(t.TempDir(), "log")), false},
		"the null device":   {open(os.DevNull), false},
		"a closed file":     {closed, false},
		"a terminal's side": {open("/dev/ptmx"), true},
		"nothing":           {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := logline.IsTerminal(test.out); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
			if got := logline.IsTerminal(logline.NewOutput(test.out)); got != test.want {
				t.Errorf("behind an Output: got %t, want %t", got, test.want)
			}
		})
	}
}
