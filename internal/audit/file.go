package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// File appends to a file by its name. After a rotation, which renames or removes the file, it
// appends to the new file of that name. It must not be used concurrently. A completed write
// survives the end of the process, but not a crash of the machine.
type File struct {
	path string
	file *os.File
	info fs.FileInfo // of file
}

// OpenFile opens the file at path. It creates a missing file, readable only by its owner, in an
// existing folder. It rejects anything but a plain file, because opening another kind may block
// without end.
func OpenFile(path string) (*File, error) {
	f := &File{path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) open() error {
	if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no plain file", f.path)
	}
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = endLine(file, info.Size())
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.info = file, info
	return nil
}

// endLine completes a partial line of an earlier process.
func endLine(file *os.File, size int64) error {
	last := []byte{'\n'}
	if size > 0 {
		if _, err := file.ReadAt(last, size-1); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	if last[0] == '\n' {
		return nil
	}
	_, err := file.WriteString("\n")
	return err
}

// Write appends p.
func (f *File) Write(p []byte) (int, error) {
	if err := f.follow(); err != nil {
		return 0, err
	}
	return f.file.Write(p)
}

// follow opens the file again if the name belongs to another file.
func (f *File) follow() error {
	info, err := os.Stat(f.path)
	if err == nil && os.SameFile(info, f.info) {
		return nil
	}
	old := f.file
	if err := f.open(); err != nil {
		return err
	}
	return old.Close()
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
