package acceptance_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The binaries under test, built once.
var hello, frontdesk, testservice string

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for processes most of the time: more of them at once than there are processors
	// costs nothing.
	_ = flag.Set("test.parallel", "8")
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "acceptance")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	hello, frontdesk, testservice = filepath.Join(dir, "hello"), filepath.Join(dir, "frontdesk"), filepath.Join(dir, "testservice")
	// As docs/production.md says that a service is built.
	build := exec.Command("go", "build", "-tags", "grpcnotrace", "-trimpath", "-ldflags", "-s -w", "-o", dir+string(filepath.Separator), "../hello", "../frontdesk", "./testservice")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the services: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
