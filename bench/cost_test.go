//go:build !race

package main

import (
	"math"
	"regexp"
	"strings"
	"testing"
)

// What the chassis may cost. Allocations do not depend on the machine: they are held to the number,
// which proves that a call allocates no more than it did. Bytes vary with the sizes of pools and
// are held within 50.
//
// CPU is a ratio within one run, for servers against grpc-go with the same stream workers. It is
// 1.3 to 1.4 for them, 1.9 for REST and 1.2 to 1.3 for clients, and on a busy machine a median is
// off by a quarter and more. So the limits are half as much again: they prove that no call costs
// twice what it did, and not that it costs what docs/performance.md says.
const (
	mostAllocs    = 4
	mostBytes     = 750
	mostOfCaller  = 6 // allocations of the client's side
	mostCPU       = 2.1
	mostRESTCPU   = 2.85
	mostCallerCPU = 1.95
	costRounds    = 9
	costCalls     = 5000
	chassisCosts  = "/chassis$"
)

func TestChassisCost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	chosen, err := choose(contenders(), regexp.MustCompile(chassisCosts))
	if err != nil {
		t.Fatal(err)
	}
	results, err := measure(t.Context(), chosen, plan{rounds: costRounds, calls: costCalls})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range newReport(results, costRounds, costCalls, 0).Contenders {
		if !strings.HasSuffix(f.Name, "/chassis") {
			continue
		}
		ratio, limit := f.CPURatio, mostCPU
		switch kind, _, _ := strings.Cut(f.Name, "/"); kind {
		case "rest":
			limit = mostRESTCPU
		case "client":
			limit = mostCallerCPU
			assertAtMost(t, f.Name, "allocations more than bare", math.Round(f.MoreAllocs), mostOfCaller)
		default:
			ratio = *f.LikeRatio
			assertAtMost(t, f.Name, "allocations more than bare", math.Round(f.MoreAllocs), mostAllocs)
			assertAtMost(t, f.Name, "bytes more than bare", math.Round(f.MoreBytes), mostBytes)
		}
		t.Logf("%s: CPU ratio %s, %+.1f allocations, %+.0f bytes", f.Name, ratio.text("%.2f"), f.MoreAllocs, f.MoreBytes)
		assertAtMost(t, f.Name, "times the CPU of bare", ratio.Median, limit)
	}
}

func assertAtMost(t *testing.T, name, what string, got, most float64) {
	t.Helper()
	if got > most {
		t.Errorf("%s: %.2f %s, expected at most %.2f", name, got, what, most)
	}
}
