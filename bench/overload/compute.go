package main

import (
	"runtime"
	"syscall"
	"time"
)

// calibrate returns the turns that take a second of CPU. It counts the time of the process and not
// that of the clock, for a neighbour on the same core would make the work too small; nothing else
// runs yet.
func calibrate() int {
	const enough = 50 * time.Millisecond
	for turns := 1 << 20; ; turns *= 2 {
		before := cpuTime()
		runtime.KeepAlive(compute(turns)) // or the compiler might leave it out
		if took := cpuTime() - before; took > enough {
			return int(float64(turns) / took.Seconds())
		}
	}
}

func compute(turns int) uint32 {
	x := uint32(1)
	for range turns {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	return x
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // only a wrong argument fails
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
