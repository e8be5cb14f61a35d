package bounded_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/betmakers/paddock/internal/bounded"
)

func TestOneFamily(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	add := func(kind, name string, s bounded.State) error {
		t.Helper()
		resources, err := bounded.Of(registry) // each part of the service asks for itself
		if err != nil {
			t.Fatal(err)
		}
		return resources.Add(kind, name, func() bounded.State { return s })
	}
	for _, err := range []error{
		add(bounded.Declared, "pool", bounded.State{Limit: 2, InUse: 1, Waits: true, Queued: 3, Waited: 1500 * time.Millisecond, Refuses: true, Rejected: 7}),
		add(bounded.Connections, "grpc", bounded.State{InUse: 4, Refuses: true}),
		add(bounded.HTTPClient, "pool", bounded.State{Limit: 100, Waits: true}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := add(bounded.Declared, "pool", bounded.State{}); err == nil {
		t.Error("a second resource of the kind and name is added")
	}
	want := `
		# HELP chassis_resource_rejected_total How many were refused the bounded resource. Absent where none is refused.
		# TYPE chassis_resource_rejected_total counter
		chassis_resource_rejected_total{kind="connections",resource="grpc"} 0
		chassis_resource_rejected_total{kind="declared",resource="pool"} 7
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "chassis_resource_rejected_total"); err != nil {
		t.Error(err)
	}
	for name, series := range map[string]int{
		"chassis_resource_limit": 2, "chassis_resource_in_use": 3, "chassis_resource_queued": 2, "chassis_resource_wait_seconds_total": 2,
	} {
		if n, err := testutil.GatherAndCount(registry, name); err != nil || n != series {
			t.Errorf("%s has %d series, %v, want %d: what is not known is absent", name, n, err, series)
		}
	}
}

// Goroutines that compete for the processors wait for them.
func TestProcessors(t *testing.T) {
	before := bounded.ProcessorState()
	var all sync.WaitGroup
	for range 8 * runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for range 1000 {
				runtime.Gosched()
			}
		})
	}
	all.Wait()
	after := bounded.ProcessorState()
	if after.Limit != runtime.GOMAXPROCS(0) || after.InUse < 1 || !after.Waits {
		t.Errorf("got %+v", after)
	}
	if after.Waited <= before.Waited {
		t.Errorf("waited %v before and %v after", before.Waited, after.Waited)
	}
}
