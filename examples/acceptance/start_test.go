package acceptance_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken := listen(t).Addr().String()
	for _, setting := range []string{"CHASSIS_GRPC_ADDR", "CHASSIS_HTTP_ADDR", "CHASSIS_ADMIN_ADDR"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			p := launch(t, hello, setting+"="+taken)
			if code := p.exitCode(); code != 1 {
				t.Errorf("exit code %d, expected 1", code)
			}
			said := strings.TrimSpace(p.stderr.String())
			for _, want := range []string{setting, taken, "address already in use"} {
				if !strings.Contains(said, want) {
					t.Errorf("the error does not mention %s: %s", want, said)
				}
			}
			if strings.Contains(said, "\n") {
				t.Errorf("expected one clear error: %s", said)
			}
			if p.log.has(step("ready")) {
				t.Error("it became ready")
			}
		})
	}
}

// The time to readiness is printed, not asserted: it is the machine's as much as ours.
func TestStartToReady(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for _, name := range []string{"making the development authority", "with the development authority present"} {
		begun := time.Now()
		p := start(t, hello, "HOME="+home)
		var took time.Duration
		for _, e := range p.log.all(line("lifecycle")) {
			took += time.Duration(e.number("took_seconds") * float64(time.Second))
		}
		ready := p.log.await(t, step("ready")).time(t)
		t.Logf("%s: ready %s after the settings were read, %s after the process was asked for", name,
			took.Round(10*time.Microsecond), ready.Sub(begun).Round(10*time.Microsecond))
	}
	if made := filepath.Join(home, ".local", "state", "paddock", "ca", "ca.key"); fileMode(t, made) != 0o600 {
		t.Errorf("%s has mode %o, expected 600", made, fileMode(t, made))
	}
}

func fileMode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestPrintedCommandsWork(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	p.log.await(t, func(e entry) bool { return strings.HasPrefix(e.text("msg"), "look: ") }) // the last hint
	for tool, want := range map[string]string{"curl": `{"message":"Hello, name!"}`, "grpcurl": `"message": "Hello, World!"`} {
		t.Run(tool, func(t *testing.T) {
			dir := toolDir(t, tool)
			hints := p.log.all(func(e entry) bool {
				command, isHint := strings.CutPrefix(e.text("msg"), "try: ")
				name, _, _ := strings.Cut(command, " ")
				return isHint && filepath.Base(name) == tool // grpcurl with the folder in which it was found
			})
			if len(hints) != 1 {
				t.Fatalf("%d hints for %s in the log", len(hints), tool)
			}
			command := exec.Command("sh", "-c", strings.TrimPrefix(hints[0].text("msg"), "try: "))
			command.Env = append(os.Environ(), "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %v\n%s", command, err, out)
			}
		})
	}
}

// toolDir returns the folder of a tool: one on the PATH, or the repository's own.
func toolDir(t *testing.T, tool string) string {
	t.Helper()
	if path, err := exec.LookPath(tool); err == nil {
		return filepath.Dir(path)
	}
	own, err := filepath.Abs(filepath.Join("..", "..", ".bin"))
	if err != nil {
		t.Fatal(err)
	}
	switch _, err := os.Stat(filepath.Join(own, tool)); {
	case err == nil:
		return own
	case !errors.Is(err, os.ErrNotExist):
		t.Fatal(err)
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is neither on the PATH nor in %s: make setup", tool, own)
	}
	t.Skipf("%s is neither on the PATH nor in %s: make setup", tool, own)
	return ""
}
