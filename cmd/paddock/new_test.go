package main

import (
	"bytes"
	"go/format"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// paddock runs the program, and returns its exit code and what it printed.
func paddock(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

// fresh makes a service in an empty folder, and returns the folder.
func fresh(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if code, _, stderr := paddock(t, "new", name, "-dir", dir, "-chassis", "../.."); code != 0 {
		t.Fatalf("paddock new %s: %d, %s", name, code, stderr)
	}
	return dir
}

// A name is accepted if the chassis accepts it, but for those that would clash within a service.
func TestNamesAreThoseOfTheChassis(t *testing.T) {
	for _, name := range []string{
		"a", "orders", "bet-slips", "a1", "a-1", "a--b", strings.Repeat("x", 58),
		"", "A", "Orders", "1a", "-a", "a-", "a_b", "a.b", "a/b", "a b", "ä", "a\n", strings.Repeat("x", 64),
	} {
		_, err := chassistest.TryStart(nil, chassis.Service{Name: name}, chassistest.Options{}) // fails, as it has no Setup
		refused := strings.Contains(err.Error(), "Service.Name")
		if got := checkName(name); (got != nil) != refused {
			t.Errorf("%q: got %v, the chassis refuses it: %t", name, got, refused)
		}
	}
	for _, name := range []string{"prices", "google", "internal", strings.Repeat("x", 59)} {
		if checkName(name) == nil {
			t.Errorf("%q is accepted, and cannot be rendered", name)
		}
	}
}

func TestRendered(t *testing.T) {
	for _, name := range []string{"orders", "bet-slips", "a", "x--1y-z", "service"} {
		t.Run(name, func(t *testing.T) {
			files, err := render(name, "example.com/"+name, chassisIn(t))
			if err != nil {
				t.Fatal(err)
			}
			found := sources{}
			for _, f := range files {
				found[f.Name] = f.Data
				if text := strings.ToLower(f.Name + "\n" + string(f.Data)); strings.Contains(text, "corner") || strings.Contains(text, "examples/template") {
					t.Errorf("%s has a name of the template", f.Name)
				}
				if strings.HasSuffix(f.Name, ".go") {
					if formatted, err := format.Source(f.Data); err != nil || !bytes.Equal(formatted, f.Data) {
						t.Errorf("%s is not formatted: %v", f.Name, err)
					}
				}
			}
			s, err := found.load(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if s.name != name || len(s.methods) != 3 {
				t.Errorf("got %d methods of %s, want its own 3", len(s.methods), s.name)
			}
			if got := string(found[policyFile]); got != networkPolicy(s) {
				t.Errorf("%s is not what the contract asks for:\n%s", policyFile, got)
			}
		})
	}
}

func chassisIn(t *testing.T) (c origin) {
	t.Helper()
	c, err := findChassis("../..")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefuses(t *testing.T) {
	full := t.TempDir()
	kept := filepath.Join(full, "notes")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "new")
	for _, test := range []struct {
		why  string
		args []string
		code int
		says string
	}{
		{"no name", []string{"new"}, 2, "needs one name"},
		{"two names", []string{"new", "a", "b"}, 2, "needs one name"},
		{"no such flag", []string{"new", "a", "-nonsense"}, 2, "nonsense"},
		{"a bad name", []string{"new", "Orders", "-dir", missing}, 1, "must begin with a letter"},
		{"a bad module", []string{"new", "orders", "-dir", missing, "-module", "a b"}, 1, "-module"},
		{"no chassis", []string{"new", "orders", "-dir", missing, "-chassis", full}, 1, "no go.mod"},
		{"a folder in use", []string{"new", "orders", "-dir", full, "-chassis", "../.."}, 1, "not empty"},
		{"a file", []string{"new", "orders", "-dir", kept, "-chassis", "../.."}, 1, "not a directory"},
	} {
		if code, _, stderr := paddock(t, test.args...); code != test.code || !strings.Contains(stderr, test.says) {
			t.Errorf("%s: got %d, %q; want %d, with %q", test.why, code, stderr, test.code, test.says)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a refused name left a folder")
	}
	if entries, err := os.ReadDir(full); err != nil || len(entries) != 1 {
		t.Errorf("the folder in use has %d entries, %v; want its one", len(entries), err)
	}
}

func TestNewMakesARepository(t *testing.T) {
	dir := fresh(t, "orders")
	out, err := exec.Command("git", "-C", dir, "status", "--porcelain", "--branch").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No commits yet on main") || !strings.Contains(string(out), "main.go") {
		t.Errorf("got %s, %v", out, err)
	}
	within := filepath.Join(dir, "services", "stock")
	if code, _, stderr := paddock(t, "new", "stock", "-chassis", "../..", "-dir", within); code != 0 {
		t.Fatal(stderr)
	}
	if _, err := os.Stat(filepath.Join(within, ".git")); err == nil {
		t.Error("a service within a repository has got one of its own")
	}
}

// A release is required by its version, and a checkout is used where it is.
func TestChassisInGoMod(t *testing.T) {
	mod := "require (\n\t" + chassisModule + " v0.0.0\n\tx v1\n)\n\n" + replaceLine
	for _, test := range []struct {
		from origin
		want string
	}{
		{origin{version: "v1.2.3"}, "require (\n\t" + chassisModule + " v1.2.3\n\tx v1\n)\n"},
		{origin{dir: "/src/paddock"}, "require (\n\t" + chassisModule + " v0.0.0\n\tx v1\n)\n\nreplace " + chassisModule + " => /src/paddock\n"},
		{origin{dir: "/my src/paddock"}, "require (\n\t" + chassisModule + " v0.0.0\n\tx v1\n)\n\nreplace " + chassisModule + " => \"/my src/paddock\"\n"},
	} {
		if got, err := test.from.require(mod); got != test.want || err != nil {
			t.Errorf("%+v: got %q, %v; want %q", test.from, got, err, test.want)
		}
	}
}

// The template cannot rot: a new service compiles, and its tests pass. make template runs all of
// them, and compares generated code with what make generate writes.
func TestRenderedServicePasses(t *testing.T) {
	dir := fresh(t, "bet-slips")
	goes := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, tail(out))
		}
	}
	if os.Getenv("PADDOCK_LONG") == "" { // with the flags of make test, for which all that is imported is compiled
		goes("go", "test", "-vet=off", "-trimpath", "-tags=grpcnotrace", "-short", "-skip=RollingRestart", "./...")
		return
	}
	goes("git", "add", "-A")
	goes("make", "test", "build")
	if bin := os.Getenv("PADDOCK_BIN"); bin != "" { // the tools of the same versions, which take minutes to build
		goes("sh", "-c", "cp '"+bin+"'/buf '"+bin+"'/protoc-gen-* .bin/")
	}
	goes("make", "generate", "lint")
	goes("git", "diff", "--exit-code")
}

func tail(out []byte) string {
	if len(out) > 4000 {
		out = out[len(out)-4000:]
	}
	return string(out)
}

func TestUsage(t *testing.T) {
	if code, _, stderr := paddock(t); code != 2 || stderr != usage {
		t.Errorf("without arguments: got %d, %q", code, stderr)
	}
	if code, stdout, _ := paddock(t, "help"); code != 0 || stdout != usage {
		t.Errorf("help: got %d, %q", code, stdout)
	}
	if code, _, stderr := paddock(t, "nwe"); code != 2 || !strings.Contains(stderr, "nwe") {
		t.Errorf("an unknown command: got %d, %q", code, stderr)
	}
	if code := run(t.Context(), []string{"new", "-help"}, io.Discard, io.Discard); code != 0 {
		t.Errorf("new -help: got %d", code)
	}
}
