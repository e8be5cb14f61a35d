//go:build !linux

package chassis

import "syscall"

// setUserTimeout does nothing on systems without the option.
func setUserTimeout(_, _ string, _ syscall.RawConn) error { return nil }
