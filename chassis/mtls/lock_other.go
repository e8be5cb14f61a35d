//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package mtls

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// permissions reports that modes and owners of files have no meaning on this system.
const permissions = false

const noFollow = 0

func owner(fs.FileInfo) int { return os.Geteuid() }

// stale is the age at which the holder of a lock counts as dead. A lock is held for milliseconds.
const stale = 5 * time.Second

// tryLock makes the lock file, which must not exist.
func tryLock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > stale {
			_ = os.Remove(path)
		}
		return nil, errLocked
	}
	if err != nil {
		return nil, err
	}
	_ = file.Close()
	return func() { _ = os.Remove(path) }, nil
}
