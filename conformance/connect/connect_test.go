package connect

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/betmakers/paddock/conformance/internal/known"
	"github.com/betmakers/paddock/conformance/internal/report"
)

const module = "connectrpc.com/conformance"

// Every case passes that grpc-go passes, but for those on the list. It builds some large programs,
// so it runs with make conformance only.
func TestConnect(t *testing.T) {
	if !report.Long() {
		t.Skip("make conformance runs this")
	}
	s := build(t)
	list := known.Read(t, "differences.txt")
	counted := new(report.Table)
	counted.Row("under test", "passed", "failed", "worse than the reference", "of these known")
	for _, mode := range []string{"server", "client"} {
		reference := s.run(t, mode, "grpc"+mode)
		counted.Row("grpc-go's "+mode, reference.passed, len(reference.failed), 0, 0)
		results := s.run(t, mode, "paddock"+mode)
		worse, knowns := 0, 0
		for name, why := range results.failed {
			if _, also := reference.failed[name]; also {
				continue
			}
			worse++
			if _, ok := list.Explain(mode, name); ok {
				knowns++
			} else {
				t.Errorf("%s: %s fails, and passes with grpc-go: %s", mode, name, why)
			}
		}
		counted.Row("the chassis's "+mode, results.passed, len(results.failed), worse, knowns)
	}
	list.CheckUsed(t)
	counted.Write(t, "Connect's conformance suite, gRPC, without TLS")
}

// suite is the built programs, and the suite's own configuration for implementations of gRPC.
type suite struct{ bin, config string }

// build builds the suite with the files of testdata.
func build(t *testing.T) suite {
	t.Helper()
	copied, bin := filepath.Join(t.TempDir(), "conformance"), t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir(t, module))); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"grpcserver": "internal/app/grpcserver", "grpcclient": "internal/app/grpcclient", "paddockserver": "cmd/paddockserver", "paddockclient": "cmd/paddockclient",
	} {
		if err := addTo(filepath.Join(copied, to), filepath.Join("testdata", from)); err != nil {
			t.Fatal(err)
		}
	}
	goTool(t, "build", "-modfile="+modfile(t, copied), "-o", bin+string(os.PathSeparator),
		module+"/cmd/connectconformance", module+"/cmd/grpcserver", module+"/cmd/grpcclient", module+"/cmd/paddockserver", module+"/cmd/paddockclient")
	return suite{bin: bin, config: filepath.Join(copied, "testing", "grpc-impls-config.yaml")}
}

func addTo(folder, from string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(from, file.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, file.Name()), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// modfile returns a go.mod like this module's, which has the suite in the folder copied.
func modfile(t *testing.T, copied string) string {
	t.Helper()
	folder, root := t.TempDir(), filepath.Dir(strings.TrimSpace(goTool(t, "env", "GOMOD")))
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			text = append(text, "\nreplace "+module+" => "+copied+"\n"...)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "go.mod")
}

// dir downloads a module that go.mod names, and returns its folder.
func dir(t *testing.T, module string) string {
	t.Helper()
	var found struct{ Dir string }
	if err := json.Unmarshal([]byte(goTool(t, "mod", "download", "-json", module)), &found); err != nil {
		t.Fatal(err)
	}
	return found.Dir
}

func goTool(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Stderr = new(bytes.Buffer)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, command.Stderr)
	}
	return string(out)
}

// results are those of one run.
type results struct {
	passed string
	failed map[string]string
}

var (
	failedCase = regexp.MustCompile(`(?m)^FAILED: (.*?):\n(.*)`)
	summary    = regexp.MustCompile(`(?m)^(\d+) passed, (\d+) failed`)
)

// run tests a program.
func (s suite) run(t *testing.T, mode, program string) results {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(s.bin, "connectconformance"),
		"--mode", mode, "--conf", s.config, "--", filepath.Join(s.bin, program)) //nolint:gosec // what was built above
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	counts := summary.FindSubmatch(out)
	if counts == nil || bytes.Contains(out, []byte("could not be run")) {
		t.Fatalf("%s %s did not run to its end:\n%s", mode, program, out)
	}
	r := results{passed: string(counts[1]), failed: map[string]string{}}
	for _, found := range failedCase.FindAllSubmatch(out, -1) {
		r.failed[string(found[1])] = strings.TrimSpace(string(found[2]))
	}
	return r
}
