// Package cores keeps a server process and the program that loads it on cores of their own.
package cores

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Pair is where the two sides run: the first two of those this process may use. With fewer there is
// nothing to keep apart, and both run where the system puts them. The zero value keeps nothing
// apart.
type Pair struct {
	Apart             bool // each side has a core of its own
	allowed           unix.CPUSet
	server, generator unix.CPUSet
}

// Find looks at what this process may use.
func Find() Pair {
	var c Pair
	if unix.SchedGetaffinity(0, &c.allowed) != nil || c.allowed.Count() < 2 {
		return c
	}
	c.Apart = true
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

// StartServer runs start, which starts a process, so that the process inherits the server's core.
// The Go runtime of the process then sees one core and runs with GOMAXPROCS 1.
func (c Pair) StartServer(start func() error) error {
	if !c.Apart {
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

// PinGenerator binds every thread of this process, and so every later one, to the generator's core
// until undo.
func (c Pair) PinGenerator() (undo func(), err error) {
	if !c.Apart {
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
