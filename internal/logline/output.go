package logline

import (
	"io"
	"io/fs"
	"sync"
)

// Output lets several logs share a writer. A Write is one or more whole lines, and begins on a line of its own also
// after one that broke off within a line. It may be called concurrently: one write waits for the other.
type Output struct {
	mu   sync.Mutex
	out  io.Writer
	torn bool // the last write broke off inside a line
}

// NewOutput returns the way to out. An Output comes back as it is.
func NewOutput(out io.Writer) *Output {
	if shared, ok := out.(*Output); ok {
		return shared
	}
	return &Output{out: out}
}

// Write hands p to the writer, and returns how much of p that took.
func (o *Output) Write(p []byte) (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.torn {
		if _, err := o.out.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		o.torn = false
	}
	n, err = o.out.Write(p)
	if n < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	if n > 0 {
		o.torn = p[n-1] != '\n'
	}
	return n, err
}

// Stat is that of the file behind it, an error where that is none.
func (o *Output) Stat() (fs.FileInfo, error) {
	if file, ok := o.out.(interface{ Stat() (fs.FileInfo, error) }); ok {
		return file.Stat()
	}
	return nil, fs.ErrInvalid
}
