package logline_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/betmakers/paddock/internal/logline"
)

// breaking takes no more than left bytes, and fails for what is beyond.
type breaking struct {
	bytes.Buffer
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) <= b.left {
		b.left -= len(p)
		return b.Buffer.Write(p)
	}
	n, _ := b.Buffer.Write(p[:b.left])
	b.left = 0
	return n, errors.New("no space left")
}

// Two logs share a writer: what one has left half written is not continued by the other.
func TestALineBeginsOnALineOfItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		left int
		want string
	}{
		"broke off within a line":      {7, "first\ns\nthird\n"},
		"broke off behind a line":      {6, "first\nthird\n"},
		"nothing was written":          {0, "third\n"},
		"broke off before the newline": {5, "first\nthird\n"},
		"all was written":              {13, "first\nsecond\nthird\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out := &breaking{left: test.left}
			shared := logline.NewOutput(out)
			n, err := shared.Write([]byte("first\nsecond\n"))
			if n != test.left || (test.left < 13) != (err != nil) {
				t.Errorf("took %d bytes with %v, want %d", n, err, test.left)
			}
			out.left = 100
			if n, err := logline.NewOutput(shared).Write([]byte("third\n")); n != 6 || err != nil {
				t.Errorf("took %d bytes with %v", n, err)
			}
			if got := out.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWritersDoNotMix(t *testing.T) {
	var out bytes.Buffer
	shared := logline.NewOutput(&out)
	var all sync.WaitGroup
	for _, line := range []string{strings.Repeat("a", 100) + "\n", strings.Repeat("b", 200) + "\n"} {
		all.Go(func() {
			for range 100 {
				_, _ = shared.Write([]byte(line)) // a buffer takes everything
			}
		})
	}
	all.Wait()
	for line := range strings.Lines(out.String()) {
		if len(line) != 101 && len(line) != 201 {
			t.Fatalf("a line of %d bytes: %q", len(line), line)
		}
	}
}

func TestStatIsThatOfTheFile(t *testing.T) {
	if info, err := logline.NewOutput(os.Stdout).Stat(); err != nil || info == nil {
		t.Errorf("standard output: %v, %v", info, err)
	}
	if _, err := logline.NewOutput(new(bytes.Buffer)).Stat(); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a buffer: %v", err)
	}
}
