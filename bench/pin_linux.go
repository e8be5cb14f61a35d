package main

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// With fewer than two cores there is nothing to keep apart, and both run where the system puts them.
const (
	serverCPU    = 0
	generatorCPU = 1
)

// onServerCPU runs start, which starts a process, so that the process inherits the server's core. The Go runtime of
// the process then sees one core and runs with GOMAXPROCS 1.
func onServerCPU(start func() error) error {
	if runtime.NumCPU() < 2 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return start()
	}
	if err := unix.SchedSetaffinity(0, only(serverCPU)); err != nil {
		return start()
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return start()
}

// pinGenerator binds every thread of this process, and so every later one, to the generator's core. It returns what
// undoes it and whether it worked.
func pinGenerator() (undo func(), pinned bool) {
	var before unix.CPUSet
	if runtime.NumCPU() < 2 || unix.SchedGetaffinity(0, &before) != nil || setAllThreads(only(generatorCPU)) != nil {
		return func() {}, false
	}
	procs := runtime.GOMAXPROCS(1)
	return func() {
		_ = setAllThreads(&before)
		runtime.GOMAXPROCS(procs)
	}, true
}

func setAllThreads(cpus *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, cpus); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}

func only(cpu int) *unix.CPUSet {
	var set unix.CPUSet
	set.Set(cpu)
	return &set
}
