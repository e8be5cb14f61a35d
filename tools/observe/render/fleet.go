package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The service that is deployed in three builds. What differs is the share of calls that fail.
const source = `package main

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/betmakers/paddock/chassis"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

var failEvery int64 = %d

type server struct {
	hellov1.UnimplementedHelloServiceServer
	calls atomic.Int64
}

func (s *server) SayHello(ctx context.Context, req *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	if failEvery > 0 && s.calls.Add(1)%%failEvery == 0 {
		return nil, errors.New("the new code has a mistake")
	}
	return &hellov1.SayHelloResponse{Message: "Hello, " + req.GetName() + "!"}, nil
}

func main() {
	chassis.Main(context.Background(), chassis.Service{Name: "hello", Setup: func(ctx context.Context, app *chassis.App) error {
		hellov1.RegisterHelloServiceServer(app, &server{})
		app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
		return nil
	}})
}
`

// version is a build of hello, committed so long before the start.
type version struct {
	name      string
	failEvery int
	age       time.Duration
	binary    string
}

const replicas = 3

// fleet is three replicas of hello, and frontdesk, which calls the first of them.
type fleet struct {
	dir, home string
	versions  []version
	hello     [replicas]*replica
	desk      *replica
	began     time.Time
}

// replica is one process after the other at the same addresses.
type replica struct {
	grpc, rest, admin string
	cmd               *exec.Cmd
	env               []string
}

// build compiles frontdesk, and hello from three commits of a repository of its own.
func build(ctx context.Context, root, dir string) (*fleet, error) {
	f := &fleet{dir: dir, home: filepath.Join(dir, "home"), began: time.Now()}
	f.versions = []version{{"v1", 0, 2 * time.Hour, ""}, {"v2", 3, 20 * time.Minute, ""}, {"v3", 0, 10 * time.Minute, ""}}
	repo := filepath.Join(dir, "repo")
	for _, d := range []string{repo, f.home} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	log.Print("building")
	if err := newRepository(ctx, root, repo); err != nil {
		return nil, err
	}
	for i := range f.versions {
		if err := f.buildVersion(ctx, repo, &f.versions[i]); err != nil {
			return nil, err
		}
	}
	err := command(ctx, repo, nil, "go", "build", "-mod=mod", "-tags=grpcnotrace", "-buildvcs=true", "-o", filepath.Join(dir, "frontdesk"), "./frontdesk")
	return f, errors.Join(err, f.addresses(ctx))
}

func newRepository(ctx context.Context, root, repo string) error {
	mod, err := os.ReadFile(filepath.Join(root, "examples", "go.mod"))
	if err != nil {
		return err
	}
	text := strings.Replace(string(mod), "module github.com/betmakers/paddock/examples", "module hello.example", 1)
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "replace github.com/betmakers/paddock") {
			kept.WriteString(line)
		}
	}
	fmt.Fprintf(&kept, "\nrequire github.com/betmakers/paddock/examples v0.0.0\nreplace github.com/betmakers/paddock => %s\nreplace github.com/betmakers/paddock/examples => %s\n",
		root, filepath.Join(root, "examples"))
	sum, err := os.ReadFile(filepath.Join(root, "examples", "go.sum"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(repo, "go.mod"), []byte(kept.String()), 0o600),
		os.WriteFile(filepath.Join(repo, "go.sum"), sum, 0o600),
		copyFrontdesk(filepath.Join(root, "examples", "frontdesk"), filepath.Join(repo, "frontdesk")),
		command(ctx, repo, nil, "git", "init", "-q"),
	)
}

func copyFrontdesk(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"main.go", "server.go"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) buildVersion(ctx context.Context, repo string, v *version) error {
	if err := os.WriteFile(filepath.Join(repo, "main.go"), fmt.Appendf(nil, source, v.failEvery), 0o600); err != nil {
		return err
	}
	v.binary = filepath.Join(f.dir, "hello-"+v.name)
	// Two builds that do the same are two commits nevertheless.
	if err := os.WriteFile(filepath.Join(repo, "VERSION"), []byte(v.name), 0o600); err != nil {
		return err
	}
	date := f.began.Add(-v.age).Format(time.RFC3339)
	env := []string{"GIT_AUTHOR_DATE=" + date, "GIT_COMMITTER_DATE=" + date}
	return errors.Join(
		command(ctx, repo, nil, "git", "add", "."),
		command(ctx, repo, env, "git", "-c", "user.name=render", "-c", "user.email=render@localhost", "commit", "-q", "-m", v.name),
		command(ctx, repo, nil, "go", "build", "-mod=mod", "-tags=grpcnotrace", "-buildvcs=true", "-o", v.binary, "."),
	)
}

// addresses chooses free ports, which the replicas keep.
func (f *fleet) addresses(ctx context.Context) error {
	for i := range f.hello {
		r, err := newReplica(ctx)
		if err != nil {
			return err
		}
		f.hello[i] = r
	}
	r, err := newReplica(ctx)
	if err != nil {
		return err
	}
	r.env = []string{"CHASSIS_HELLO_TARGET=dns:///" + f.hello[0].grpc} // one port for all replicas would need one address for each
	f.desk = r
	return nil
}

func newReplica(ctx context.Context) (*replica, error) {
	addresses, err := freeAddresses(ctx, 3)
	if err != nil {
		return nil, err
	}
	return &replica{grpc: addresses[0], rest: addresses[1], admin: addresses[2]}, nil
}

// freeAddresses returns addresses that nothing listens on now.
func freeAddresses(ctx context.Context, n int) (all []string, err error) {
	var listen net.ListenConfig
	var open []net.Listener
	defer func() {
		for _, l := range open { // after all are chosen, so that they differ
			_ = l.Close()
		}
	}()
	for range n {
		l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		open, all = append(open, l), append(all, l.Addr().String())
	}
	return all, nil
}

func (f *fleet) targets() []string {
	targets := []string{f.desk.admin}
	for _, r := range f.hello {
		targets = append(targets, r.admin)
	}
	return targets
}

// deploy replaces what runs at the addresses of r, and waits until the new process is ready.
func (f *fleet) deploy(ctx context.Context, r *replica, binary string) error {
	r.stop()
	r.cmd = exec.CommandContext(ctx, binary)
	r.cmd.Env = append([]string{
		"HOME=" + f.home, "PATH=" + os.Getenv("PATH"), "CHASSIS_ENVIRONMENT=development", "CHASSIS_LOG_REQUESTS=none",
		"CHASSIS_GRPC_ADDR=" + r.grpc, "CHASSIS_HTTP_ADDR=" + r.rest, "CHASSIS_ADMIN_ADDR=" + r.admin,
		"CHASSIS_RUN_FILE=" + filepath.Join(f.home, strings.ReplaceAll(r.grpc, ":", "-")+".run"),
	}, r.env...)
	logfile, err := os.OpenFile(filepath.Join(f.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logfile.Close()
	r.cmd.Stdout, r.cmd.Stderr = logfile, logfile
	if err := r.cmd.Start(); err != nil {
		return err
	}
	for range 600 {
		if ready(ctx, r) {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	text, _ := os.ReadFile(logfile.Name())
	return fmt.Errorf("%s is not ready:\n%s", binary, text)
}

func ready(ctx context.Context, r *replica) bool {
	status, err := get(ctx, "http://"+r.admin+"/readyz", io.Discard)
	return err == nil && status == http.StatusOK
}

func (r *replica) stop() {
	if r == nil || r.cmd == nil || r.cmd.Process == nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	_ = r.cmd.Wait() // it was asked to end: how it does so is no matter
	r.cmd = nil
}

func (f *fleet) stop() {
	f.desk.stop()
	for _, r := range f.hello {
		r.stop()
	}
}

func command(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), append([]string{"GOFLAGS=", "CGO_ENABLED=0", "GIT_CONFIG_GLOBAL=/dev/null"}, env...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

func get(ctx context.Context, url string, body io.Writer) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(body, resp.Body)
	return resp.StatusCode, err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
