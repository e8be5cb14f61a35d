package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// verdict is what became of a mutant.
type verdict string

const (
	killed   verdict = "killed"
	timedOut verdict = "timed out"
	survived verdict = "survived"
	invalid  verdict = "does not compile"
)

// runner runs tests against mutants. Its methods may be called concurrently.
type runner struct {
	folder  string        // for what a mutant needs
	timeout time.Duration // of the tests of one package
}

// compilation is what a package may take beside its tests.
const compilation = 5 * time.Minute

// healthy runs the tests without a change, and returns what they say where they fail.
func (r runner) healthy(ctx context.Context, tests []string) error {
	for _, pkg := range tests {
		if v, out := r.test(ctx, pkg, ""); v != survived {
			return fmt.Errorf("the tests of %s do not pass without any change (%s):\n%s", pkg, v, out)
		}
	}
	return ctx.Err()
}

// try runs the tests against one mutant until a package notices.
func (r runner) try(ctx context.Context, number int, m mutant) (verdict, error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	name := filepath.Join(r.folder, strconv.Itoa(number))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{m.file: name + ".go"}})
	if err != nil {
		return "", err
	}
	err = errors.Join(os.WriteFile(name+".go", []byte(m.mutated(string(source))), 0o600), os.WriteFile(name+".json", overlay, 0o600))
	if err != nil {
		return "", err
	}
	defer func() { _, _ = os.Remove(name+".go"), os.Remove(name+".json") }()
	for _, pkg := range m.tests {
		if v, _ := r.test(ctx, pkg, name+".json"); v != survived {
			return v, ctx.Err()
		}
	}
	return survived, ctx.Err()
}

// test runs the tests of one package.
func (r runner) test(ctx context.Context, pkg, overlay string) (v verdict, output string) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout+compilation)
	defer cancel()
	args := []string{"test", "-count=1", "-failfast", "-vet=off", "-timeout", r.timeout.String()}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the test binary ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	output = out.String()
	switch {
	case err == nil:
		return survived, output
	case ctx.Err() != nil, strings.Contains(output, "panic: test timed out after"):
		return timedOut, output
	case strings.Contains(output, "[build failed]"), strings.Contains(output, "[setup failed]"):
		return invalid, output
	default:
		return killed, output
	}
}
