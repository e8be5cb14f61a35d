//go:build !linux

package chassis

import "syscall"

// setUserTimeout does nothing where there is no such option.
func setUserTimeout(_, _ string, _ syscall.RawConn) error { return nil }
