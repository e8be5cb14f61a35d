package archtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/betmakers/paddock/"

// layer is how high a package stands: it may import what stands lower, and its own kind where kin
// says so.
type layer struct {
	name string
	rank int
	kin  bool
}

var (
	foundation = layer{"foundation", 0, true} // internal/..., proto/...: nobody outside of the module, or nobody's code
	concern    = layer{"concern", 1, false}   // each does one thing, and they meet through types of the ecosystem
	door       = layer{"the door", 2, false}  // for services that do without the chassis
	face       = layer{"the chassis", 2, true}
	kit        = layer{"the test kit", 3, true}
	program    = layer{"a program", 4, false}
)

// layerOf places a package. What is not named is a concern, the strictest place: a new package
// imports the foundation alone until somebody decides otherwise here.
func layerOf(path string) layer {
	switch {
	case path == "chassis", under(path, "chassis/internal"):
		return face
	case path == "middleware":
		return door
	case path == "chassis/chassistest":
		return kit
	case path == "telemetry/dashboards/write":
		return program
	case under(path, "internal/inbound"), under(path, "internal/outbound"):
		return concern // the two halves of a call's way, which meet as all concerns do
	case under(path, "internal"), under(path, "proto"):
		return foundation
	default:
		return concern
	}
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// wrong says why from may not import to, both within the module, and is empty where it may.
func wrong(from, to string) string {
	a, b := layerOf(from), layerOf(to)
	switch {
	case b.rank < a.rank, a == b && a.kin:
		return ""
	case a == b && sameConcern(from, to):
		return ""
	case a == b:
		return fmt.Sprintf("%s imports %s: two concerns meet in the chassis, not in each other", from, to)
	default:
		return fmt.Sprintf("%s (%s) imports %s (%s), which stands above it", from, a.name, to, b.name)
	}
}

// sameConcern reports whether one package is part of the other, as mtls/fake would be of mtls.
func sameConcern(a, b string) bool { return under(a, b) || under(b, a) }

func TestRules(t *testing.T) {
	for _, test := range []struct {
		from, to string
		allowed  bool
	}{
		{"chassis", "internal/inbound", true},
		{"chassis", "internal/outbound", true},
		{"chassis", "chassis/internal/harness", true},
		{"chassis/chassistest", "chassis", true},
		{"chassis/chassistest", "internal/leakcheck", true},
		{"telemetry", "internal/catalog", true},
		{"internal/contract", "proto/paddock/v1", true},
		{"internal/inbound", "internal/outbound", false},
		{"internal/outbound", "internal/inbound", false},
		{"internal/inbound", "health", false},
		{"internal/inbound", "telemetry", false},
		{"internal/outbound", "chassis/mtls", false},
		{"internal/contract", "internal/inbound", false},
		{"health", "chassis/mtls", false},
		{"chassis/mtls", "chassis", false},
		{"internal/admin", "health", false},
		{"internal/admin", "chassis", false},
		{"proto/paddock/v1", "telemetry", false},
		{"chassis", "chassis/chassistest", false},
		{"newcomer", "internal/inbound", false},
		{"middleware", "internal/inbound", true},
		{"middleware", "chassis/mtls", true},
		{"middleware", "chassis", false},
		{"chassis", "middleware", false},
		{"newcomer", "internal/contract", true},
		{"telemetry/dashboards", "telemetry/alerts", false},
		{"telemetry/dashboards/write", "telemetry/alerts", true},
	} {
		if reason := wrong(test.from, test.to); (reason == "") != test.allowed {
			t.Errorf("%s -> %s: allowed is %t, want %t", test.from, test.to, reason == "", test.allowed)
		}
	}
}

func TestImportsPointDown(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			seen++
			if reason := wrong(from, to); reason != "" {
				t.Error(reason)
			}
		}
	}
	if seen < 10 {
		t.Errorf("found %d imports within the module, want the test to see them all", seen)
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// packages returns the packages of the module, without their tests.
func packages(t *testing.T) []goPackage {
	t.Helper()
	out := output(t, "go", "list", "-json=ImportPath,Imports", "./...")
	var all []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// output runs a command at the root of the module.
func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return out
}
