package contract_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	_ "google.golang.org/grpc/health/grpc_health_v1" // infrastructure that is linked

	"github.com/betmakers/paddock/internal/contract"
)

func TestLinked(t *testing.T) {
	byName := map[string]*contract.Method{}
	for _, m := range contract.Linked(contract.Defaults{Timeout: 3 * time.Second}, nil) {
		byName[m.Name] = m
	}
	for name, infrastructure := range map[string]bool{"grpc.health.v1.Health/Check": true, "grpc.health.v1.Health/Watch": true} {
		m := byName[name]
		if m == nil {
			t.Fatalf("%s is linked and not found", name)
		}
		if m.Infrastructure() != infrastructure {
			t.Errorf("%s: infrastructure is %t, want %t", name, m.Infrastructure(), infrastructure)
		}
	}
	if check, watch := byName["grpc.health.v1.Health/Check"], byName["grpc.health.v1.Health/Watch"]; check.Timeout != 3*time.Second || watch.Timeout != 0 || !watch.ServerStreams {
		t.Errorf("got %+v and %+v, want the default deadline for the unary method alone", check, watch)
	}
	if m := (&contract.Method{Name: "googleplex.v1.Service/Method"}); m.Infrastructure() {
		t.Error("a service counts as infrastructure for the beginning of its name")
	}
}

// A service whose declarations contradict themselves is told of, and its methods are left out.
func TestLinkedLeavesOutWhatIsWrong(t *testing.T) {
	wrong := declare(t, "", rpc{name: "Right"}, rpc{name: "Wrong", policy: "timeout { seconds: -1 }"}).ServiceName
	var told []string
	methods := contract.Linked(contract.Defaults{}, func(service string, err error) {
		if err == nil {
			t.Errorf("%s: told of no error", service)
		}
		told = append(told, service)
	})
	for _, m := range methods {
		if strings.HasPrefix(m.Name, wrong+"/") {
			t.Errorf("%s is among the methods, though its service is wrong", m.Name)
		}
	}
	if !slices.Contains(told, wrong) {
		t.Errorf("told of %q, want %s among them", told, wrong)
	}
}
