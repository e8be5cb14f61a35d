package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// The environment and the two inherited pipes through which the parent drives a server process.
const (
	envServe  = "PADDOCK_BENCH_SERVE"  // the contender's name
	envCerts  = "PADDOCK_BENCH_CERTS"  // a certDir
	envTarget = "PADDOCK_BENCH_TARGET" // the address that a client calls

	commandFD = 3
	answerFD  = 4
)

// The commands, one a line. Each is answered by one usage.
const (
	commandBegin = "begin"
	commandEnd   = "end"
)

// commandCalls has a client make n calls.
func commandCalls(n int) string { return strconv.Itoa(n) }

// usage is what the process used since it started. The answer to its start carries only Addr, that
// to commandCalls only Failed, which is empty if the calls succeeded.
type usage struct {
	Addr    string
	Failed  string
	CPU     time.Duration // user and system
	Mallocs uint64
	Bytes   uint64
}

// serve is the server process: it starts the named contender and answers commands until the parent
// closes the pipe.
func serve(name string) error {
	commands, answers := os.NewFile(commandFD, "commands"), os.NewFile(answerFD, "answers")
	if commands == nil || answers == nil {
		return errors.New("a server process is started by bench itself, not by hand")
	}
	started, err := start(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	out := json.NewEncoder(answers)
	if err := out.Encode(usage{Addr: started.addr}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(commands); lines.Scan(); {
		if err := out.Encode(started.answer(lines.Text())); err != nil {
			return err
		}
	}
	return nil
}

// started is a contender in its own process.
type started struct {
	contender
	addr string   // of a server
	call echoCall // of a client
}

func (s started) answer(command string) usage {
	n, err := strconv.Atoi(command)
	if err != nil {
		return measureSelf(command)
	}
	if err := s.call.repeat(n, s.inFlight); err != nil {
		return usage{Failed: err.Error()}
	}
	return usage{}
}

func start(name string) (started, error) {
	for _, c := range allContenders() {
		if c.name != name {
			continue
		}
		s := setup{certs: certDir(os.Getenv(envCerts)), target: os.Getenv(envTarget)}
		if c.tls() {
			config, err := s.certs.ServerTLS()
			if err != nil {
				return started{}, err
			}
			s.tls = config
		}
		up := started{contender: c}
		var err error
		if c.client != nil {
			up.call, err = c.client(context.Background(), s)
		} else {
			up.addr, err = c.start(context.Background(), s)
		}
		return up, err
	}
	return started{}, errors.New("no such contender")
}

// measureSelf keeps its own cost out of the turn: memory statistics are read before the first and
// after the last reading of the CPU. What a call leaves for later, such as log lines in a buffer,
// belongs to the turn, so the end waits for it.
func measureSelf(command string) usage {
	var u usage
	if command == commandBegin {
		runtime.GC()
		u.readMemory()
		u.readCPU()
		return u
	}
	time.Sleep(20 * time.Millisecond)
	u.readCPU()
	u.readMemory()
	return u
}

func (u *usage) readCPU() {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // only a wrong argument fails
	}
	u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func (u *usage) readMemory() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Mallocs, u.Bytes = m.Mallocs, m.TotalAlloc
}

// reportEnd runs a server that should never end and ends the process if it does.
func reportEnd(serve func() error) {
	fmt.Fprintln(os.Stderr, "bench: server ended:", serve())
	os.Exit(1)
}
