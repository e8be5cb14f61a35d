//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package mtls

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// permissions reports that modes and owners of files have a meaning on this system.
const permissions = true

// noFollow makes opening a symbolic link an error.
const noFollow = syscall.O_NOFOLLOW

// owner returns the user that a file belongs to.
func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// tryLock takes an advisory lock, which the kernel releases when the process dies.
func tryLock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case err == nil:
		return func() { _ = file.Close() }, nil
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		_ = file.Close()
		return nil, errLocked
	default:
		_ = file.Close()
		return nil, err
	}
}
