package main

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// cores are where the two sides run: the first two of those this process may use. With fewer there is nothing to keep
// apart, and both run where the system puts them.
type cores struct {
	allowed           unix.CPUSet
	server, generator unix.CPUSet
	apart             bool
}

func findCores() cores {
	var c cores
	if unix.SchedGetaffinity(0, &c.allowed) != nil || c.allowed.Count() < 2 {
		return c
	}
	c.apart = true
	cpu := 0
	for _, set := range []*unix.CPUSet{&c.server, &c.generator} {
		for !c.allowed.IsSet(cpu) {
			cpu++
		}
		set.Set(cpu)
		cpu++
	}
	return c
}

// startServer runs start, which starts a process, so that the process inherits the server's core. The Go runtime of
// the process then sees one core and runs with GOMAXPROCS 1.
func (c cores) startServer(start func() error) error {
	if !c.apart {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &c.server); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &c.allowed) }()
	return start()
}

// pinGenerator binds every thread of this process, and so every later one, to the generator's core until undo.
func (c cores) pinGenerator() (undo func(), err error) {
	if !c.apart {
		return func() {}, nil
	}
	if err := setAllThreads(&c.generator); err != nil {
		return nil, err
	}
	procs := runtime.GOMAXPROCS(1)
	return func() {
		_ = setAllThreads(&c.allowed)
		runtime.GOMAXPROCS(procs)
	}, nil
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
			return os.NewSyscallError("sched_setaffinity", err)
		}
	}
	return nil
}
