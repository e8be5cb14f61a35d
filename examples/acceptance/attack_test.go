package acceptance_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
)

// The attacks are tables: a line more is an attack more. What each of them was found by, and what
// else is tried elsewhere, is in docs/attacks.md; `make attack` runs all of it.

// attackTime is how long a flood goes on: what ATTACK says, or the short form.
func attackTime(t testing.TB) time.Duration {
	t.Helper()
	text := os.Getenv("ATTACK")
	if text == "" {
		return 50 * time.Millisecond
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// target is a service under attack, as in production: with certificates, and TLS on both ports.
type target struct {
	*process
	ours   *authority
	caller *tls.Config // of spiffe://example.org/caller
}

func startTarget(t testing.TB, binary string, env ...string) target {
	t.Helper()
	ours := newAuthority(t, "ours")
	settings := append(newFiles(t, ours.issue(t, "target", time.Hour), ours).env(), "CHASSIS_LOG_REQUESTS=failed")
	return target{start(t, binary, append(settings, env...)...), ours, ours.client(ours.issue(t, "caller", time.Hour))}
}

// addr returns the address of the port of gRPC or REST.
func (p *process) addr(port string) string {
	if port == "grpc" {
		return p.grpc
	}
	return p.rest
}

// answersStrangers makes calls by new connections, by gRPC and REST, each of which must be
// answered.
func (s target) answersStrangers(t testing.TB, when string) {
	t.Helper()
	if err := tryCall(within(t), s.grpc, credentials.NewTLS(s.caller)); err != nil {
		t.Errorf("%s: a new client has no answer by gRPC: %v", when, err)
	}
	got, err := fetch(newHTTPClient(t, s.caller), http.MethodGet, "https://"+s.rest+"/v1/hello/Ann", "")
	if err != nil || got.status != http.StatusOK {
		t.Errorf("%s: a new client has no answer by REST: %d %s, %v", when, got.status, got.body, err)
	}
}

// lives fails the test if the process has ended.
func (p *process) lives(t testing.TB) {
	t.Helper()
	select {
	case <-p.exited:
		t.Fatalf("the process has ended: %s", p.stderr)
	default:
	}
}

// resident returns a field of the process's status in bytes, such as VmRSS or VmHWM.
func (p *process) resident(t testing.TB, field string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skipf("needs Linux to tell the memory of a process: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, field+":"); ok {
			kilobytes, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatalf("no %s", field)
	return 0
}

// forgetPeak has the most memory that the process ever held counted anew.
func (p *process) forgetPeak(t testing.TB) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		t.Logf("the peak of memory is that of the whole life: %v", err)
	}
}

// calm waits until the process has hardly more goroutines than before, and no call.
func (s target) calm(t testing.TB, goroutines float64) {
	t.Helper()
	await(t, "the goroutines to return, and the calls to end", func() bool {
		series := s.series()
		for name, value := range series {
			if strings.HasPrefix(name, "chassis_rpc_in_flight{") && value != 0 {
				return false
			}
		}
		return series["go_goroutines"] <= goroutines+20 && series["chassis_admission_queued"] == 0
	})
}
