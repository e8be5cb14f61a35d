package logline

import (
	"io"
	"io/fs"
	"os"
)

// IsTerminal reports whether a person reads out: it is a character device, or an [Output] before
// one, and not the null device.
func IsTerminal(out io.Writer) bool {
	file, ok := out.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
