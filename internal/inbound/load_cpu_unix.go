//go:build unix

package inbound

import (
	"syscall"
	"time"
)

// processCPU returns the processor time that the process has used so far. Go's own counters are
// updated only by garbage collection.
func processCPU() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
