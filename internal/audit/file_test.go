//go:build unix

package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/betmakers/paddock/internal/audit"
)

func write(t *testing.T, f *audit.File, text string) {
	t.Helper()
	if n, err := f.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("wrote %d bytes of %q: %v", n, text, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func openFile(t *testing.T, path string) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// A rotation renames the file, or removes it: what comes then goes to the new one of that name.
func TestAFileIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := openFile(t, path)
	write(t, f, "first\n")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("made as %v, %v, want for its owner alone", info.Mode(), err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, f, "second\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, f, "third\n")
	if err := os.Truncate(path, 0); err != nil { // as copytruncate does
		t.Fatal(err)
	}
	write(t, f, "fourth\n")
	if old, now := read(t, path+".1"), read(t, path); old != "first\n" || now != "fourth\n" {
		t.Errorf("got %q and %q", old, now)
	}
}

// A process before may have ended within a line. Its records stay.
func TestAFileIsContinued(t *testing.T) {
	for before, want := range map[string]string{"": "new\n", "whole\n": "whole\nnew\n", "torn": "torn\nnew\n"} {
		path := filepath.Join(t.TempDir(), "audit.log")
		if err := os.WriteFile(path, []byte(before), 0o640); err != nil {
			t.Fatal(err)
		}
		write(t, openFile(t, path), "new\n")
		if got := read(t, path); got != want {
			t.Errorf("%q became %q, want %q", before, got, want)
		}
	}
}

// Opening a pipe would wait for its reader, and a folder takes nothing.
func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, pipe, filepath.Join(dir, "missing", "audit.log"), ""} {
		if f, err := audit.OpenFile(path); err == nil {
			_ = f.Close()
			t.Errorf("%q is taken", path)
		}
	}
	path := filepath.Join(dir, "audit.log")
	f := openFile(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("lost\n")); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, f, "back\n")
}
