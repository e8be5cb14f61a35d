package acceptance_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// unset removes the settings of the ports that launch has given: an empty one counts as none.
var unset = []string{"CHASSIS_GRPC_ADDR=", "CHASSIS_HTTP_ADDR=", "CHASSIS_ADMIN_ADDR=", "CHASSIS_ENVIRONMENT=development"}

// Two copies of a service and one that calls it start at once on one machine, without a setting.
// All are reachable, and find each other by name; a copy that is killed does no harm, and one that
// comes later is found.
func TestServicesOfOneMachine(t *testing.T) {
	home := t.TempDir()
	env := append([]string{"HOME=" + home}, unset...)
	desk := launch(t, frontdesk, env...) // before what it calls
	first, second := launch(t, hello, env...), launch(t, hello, env...)
	for _, p := range []*process{desk, first, second} {
		p.log.await(t, step("ready"))
		p.readAddresses()
	}
	seen := map[string]bool{}
	for _, p := range []*process{desk, first, second} {
		for _, addr := range []string{p.grpc, p.rest, p.admin} {
			if seen[addr] {
				t.Errorf("two ports have the address %s", addr)
			}
			seen[addr] = true
		}
	}
	welcomed := func() bool {
		answer, err := http.Get("http://" + desk.rest + "/v1/welcome/Ada")
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}
	await(t, "frontdesk reaches hello", welcomed)
	for _, greeter := range []*process{first, second} {
		await(t, "both copies are called", func() bool { return welcomed() && greeter.log.has(line("call")) })
	}
	_ = first.cmd.Process.Kill()
	<-first.exited
	await(t, "frontdesk reaches the other copy", welcomed)
	second.signal(syscall.SIGTERM)
	second.exitCode()
	await(t, "nobody greets", func() bool { return !welcomed() })
	said := func(text string) bool {
		return desk.log.has(func(e entry) bool { return strings.Contains(e.text("error"), text) })
	}
	await(t, "the error names the service and the setting", func() bool {
		return !welcomed() && said("hello has no address: ") && said("start it, or set CHASSIS_HELLO_TARGET")
	})
	later := launch(t, hello, env...)
	later.log.await(t, step("ready"))
	await(t, "frontdesk reaches the new copy", welcomed)
}

// An address that was set and is taken is an error that says who has it.
func TestWhoHasThePort(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	other := launch(t, hello, "CHASSIS_GRPC_ADDR="+p.grpc)
	if code := other.exitCode(); code != 1 {
		t.Errorf("exit code %d, expected 1", code)
	}
	for _, want := range []string{"CHASSIS_GRPC_ADDR", "address already in use by process ", "(hello)", "localhost:0 for a free port"} {
		if !strings.Contains(other.stderr.String(), want) {
			t.Errorf("the error does not have %q: %s", want, other.stderr)
		}
	}
}

// timeout(1) sends SIGTERM to the process and to its group: the service stops gracefully all the
// same.
func TestTheSameSignalTwice(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code %d, expected 0", code)
	}
}

const afterTheSame = 1100 * time.Millisecond // a second signal counts from a second on
