package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"github.com/betmakers/paddock/bench/internal/certs"
	"github.com/betmakers/paddock/bench/internal/cores"
)

// process is the service's process as the generator sees it.
type process struct {
	cmd               *exec.Cmd
	grpc, http, admin string // addresses
	env               []string
}

// unset leaves CHASSIS_ADMISSION as the environment has it.
const unset = "default"

// start runs the service where on says, with the settings of production and of env, and returns
// when it is ready. What it logs goes to /dev/null.
func start(ctx context.Context, on cores.Pair, dir certs.Dir, shape, admission string, env ...string) (*process, error) {
	p := new(process)
	for _, addr := range []*string{&p.grpc, &p.http, &p.admin} {
		var err error
		if *addr, err = freeAddr(ctx); err != nil {
			return nil, err
		}
	}
	p.env = append(os.Environ(),
		envShape+"="+shape, "CHASSIS_ENVIRONMENT=production", "CHASSIS_MTLS=files",
		"CHASSIS_GRPC_ADDR="+p.grpc, "CHASSIS_HTTP_ADDR="+p.http, "CHASSIS_ADMIN_ADDR="+p.admin,
		"CHASSIS_TLS_CERT_FILE="+dir.ServerCert(), "CHASSIS_TLS_KEY_FILE="+dir.ServerKey(), "CHASSIS_TLS_CA_FILE="+dir.CA(),
	)
	if admission != unset {
		p.env = append(p.env, "CHASSIS_ADMISSION="+admission)
	}
	p.env = append(p.env, env...)
	return p, p.begin(ctx, on)
}

// begin starts the process where on says, at its addresses, and returns when it is ready.
func (p *process) begin(ctx context.Context, on cores.Pair) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(binary)
	p.cmd.Stderr, p.cmd.Env = os.Stderr, p.env
	if err := on.StartServer(p.cmd.Start); err != nil {
		return err
	}
	if err := p.waitReady(ctx); err != nil {
		p.stop()
		return err
	}
	return nil
}

// leave asks the process to end, as Kubernetes does, and waits until it has.
func (p *process) leave() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func freeAddr(ctx context.Context) (string, error) {
	lis, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return lis.Addr().String(), lis.Close()
}

func (p *process) waitReady(ctx context.Context) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("its time was up"))
	defer cancel()
	for {
		err := p.get(ctx, "/readyz", nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the service did not become ready: %w: %w", context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// get asks the admin port, on a connection of its own, expects 200, and has read read the answer
// unless it is nil.
func (p *process) get(ctx context.Context, path string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	if read == nil {
		return nil
	}
	return read(resp.Body)
}

// stop ends the process at once; nothing is in flight any more that anybody waits for.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// usage is what the process has and had at a time, zero where the system does not tell.
type usage struct {
	at            time.Time
	cpu           time.Duration
	waited        time.Duration // for its core, while others had it
	resident, top uint64        // bytes
}

func (p *process) usage() usage {
	u := usage{at: time.Now()}
	proc, err := procfs.NewProc(p.cmd.Process.Pid)
	if err != nil {
		return u
	}
	if stat, err := proc.Stat(); err == nil {
		u.cpu = time.Duration(stat.CPUTime() * float64(time.Second))
		u.resident = uint64(stat.ResidentMemory())
	}
	u.waited = waited(proc.PID)
	if status, err := proc.NewStatus(); err == nil {
		u.top = status.VmHWM
	}
	return u
}

// waited returns how long the threads of a process were ready to run and did not: what neighbours
// on the machine cost it.
func waited(pid int) (total time.Duration) {
	threads, err := procfs.AllThreads(pid)
	if err != nil {
		return 0
	}
	for _, thread := range threads {
		if stat, err := thread.Schedstat(); err == nil {
			total += time.Duration(stat.WaitingNanoseconds)
		}
	}
	return total
}
