//go:build unix

package neighbours

import (
	"errors"
	"syscall"
)

// runs reports whether a process of this machine runs. One of another user counts as running.
func runs(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
