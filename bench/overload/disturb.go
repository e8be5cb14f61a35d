package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// disturbance is what happens to a service until ctx ends. It leaves nothing behind.
type disturbance func(ctx context.Context, service *process) error

// stops has the service stand still now and then, for half a second and a second by turns.
func stops(ctx context.Context, service *process) (err error) {
	for turn := 1; pause(ctx, 1500*ms); turn = 3 - turn {
		err = errors.Join(err, service.cmd.Process.Signal(syscall.SIGSTOP))
		pause(ctx, time.Duration(turn)*500*ms)
		err = errors.Join(err, service.cmd.Process.Signal(syscall.SIGCONT))
	}
	return err
}

// pause returns after d with true, or with false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// envNeighbour makes the process a neighbour.
const envNeighbour = "PADDOCK_OVERLOAD_NEIGHBOUR"

// neighbour is another process that takes the processors now and then.
func neighbour(ctx context.Context, _ *process) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, binary)
	cmd.Env = append(os.Environ(), envNeighbour+"=1")
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = cmd.Wait() // it is killed
	return nil
}

// beNeighbour computes with two threads for each processor for some 100 ms, rests as long, and does
// not end.
func beNeighbour() error {
	random := rand.New(rand.NewPCG(5, 6))
	threads := 2 * runtime.NumCPU()
	runtime.GOMAXPROCS(threads)
	for {
		until := time.Now().Add(time.Duration(100+random.IntN(300)) * ms)
		done := make(chan struct{})
		for range threads {
			go func() {
				for time.Now().Before(until) {
					runtime.KeepAlive(compute(1 << 16))
				}
				done <- struct{}{}
			}()
		}
		for range threads {
			<-done
		}
		time.Sleep(time.Duration(100+random.IntN(300)) * ms)
	}
}
