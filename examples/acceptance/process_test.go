package acceptance_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a condition may take to come true: far longer than it ever does.
const patience = 2 * time.Minute

// await polls until condition holds. It waits in real time, as another process does the work.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen within %s: %s", patience, what)
		}
	}
}

// process is a running service.
type process struct {
	t                 testing.TB
	cmd               *exec.Cmd
	home              string
	grpc, rest, admin string // addresses
	log               *logbook
	stderr            *lockedBuffer
	exited            chan struct{} // closed when the process has ended
}

// start runs a binary in development, with what env says otherwise, and waits until it is ready.
func start(t testing.TB, binary string, env ...string) *process {
	t.Helper()
	p := launch(t, binary, env...)
	await(t, "ready", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("ended before it was ready, with code %d: %s", p.cmd.ProcessState.ExitCode(), p.stderr)
		default:
		}
		return p.log.has(step("ready"))
	})
	p.readAddresses()
	return p
}

// launch runs a binary and does not wait for anything.
func launch(t testing.TB, binary string, env ...string) *process {
	t.Helper()
	p := &process{t: t, home: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan struct{})}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.log = newLogbook(reader)
	p.cmd = exec.Command(binary)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.home, writer, p.stderr
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.home,
		"CHASSIS_GRPC_ADDR=localhost:0", "CHASSIS_HTTP_ADDR=localhost:0", "CHASSIS_ADMIN_ADDR=localhost:0",
	}, env...)
	for _, variable := range env {
		if home, ok := strings.CutPrefix(variable, "HOME="); ok {
			p.home = home
		}
	}
	err = p.cmd.Start()
	_ = writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // its code is asked for by exitCode
	}()
	t.Cleanup(p.cleanup)
	return p
}

func (p *process) cleanup() {
	_ = p.cmd.Process.Kill() // harmless where it has ended
	<-p.exited
	p.log.resume()
	<-p.log.ended
	if p.t.Failed() {
		p.t.Logf("end of the log of %s:\n%s", filepath.Base(p.cmd.Path), p.log.tail(30))
		p.t.Logf("its standard error: %s", p.stderr)
	}
}

// readAddresses takes the ports that the system has chosen from the log.
func (p *process) readAddresses() {
	p.t.Helper()
	p.admin = p.log.await(p.t, step("admin_listening")).text("detail")
	bound := p.log.await(p.t, step("ports_bound")).text("detail")
	grpc, rest, ok := strings.Cut(strings.TrimPrefix(bound, "gRPC on "), ", REST on ")
	if !ok {
		p.t.Fatalf("no addresses in %q", bound)
	}
	p.grpc, p.rest = grpc, rest
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exitCode waits for the end of the process and, unless its reader is held, for the end of its log.
func (p *process) exitCode() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(2 * patience):
		p.t.Fatal("the process does not end")
	}
	if !p.log.held() {
		<-p.log.ended
	}
	return p.cmd.ProcessState.ExitCode()
}

// peakMemory returns the most memory that the process ever held, in bytes.
func (p *process) peakMemory() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if errors.Is(err, os.ErrNotExist) && runtime.GOOS != "linux" {
		p.t.Skip("needs Linux to tell the memory of a process")
	}
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")))
			if err != nil {
				p.t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	p.t.Fatal("no VmHWM")
	return 0
}

// get asks the admin port.
func (p *process) get(path string, header ...string) (status int, body string, err error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+p.admin+path, nil)
	if err != nil {
		return 0, "", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
	}
	response, err := adminClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, string(all), err
}

// adminClient keeps no connections, so that a process that ends has none to close.
var adminClient = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// series returns every series of /metrics by its text, such as `chassis_phase{phase="serving"}`.
func (p *process) series() map[string]float64 {
	p.t.Helper()
	status, body, err := p.get("/metrics")
	if err != nil || status != http.StatusOK {
		p.t.Fatalf("/metrics: %d, %v", status, err)
	}
	series := map[string]float64{}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		space := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || space < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			p.t.Fatalf("/metrics: %q: %v", line, err)
		}
		series[line[:space]] = value
	}
	return series
}

// metric returns the value of one series, zero where there is none.
func (p *process) metric(series string) float64 {
	p.t.Helper()
	return p.series()[series]
}

// lockedBuffer is a buffer that one goroutine fills and others look at.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
