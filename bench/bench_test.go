package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/betmakers/paddock/bench/internal/cores"
)

// TestMain lets the test binary be the server process, as the program itself is.
func TestMain(m *testing.M) {
	if name := os.Getenv(envServe); name != "" {
		exit(serve(name))
	}
	os.Exit(m.Run())
}

func TestRunMeasuresEveryContender(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-rounds", "2", "-calls", "300", "-json"}, &out); err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Contenders) != len(contenders()) {
		t.Errorf("%d contenders were measured, expected %d", len(got.Contenders), len(contenders()))
	}
	for _, f := range got.Contenders {
		if len(f.Samples) != 2 {
			t.Errorf("%s: %d samples, expected one for each of the 2 rounds", f.Name, len(f.Samples))
		}
		if f.CPU.Min <= 0 || f.Throughput.Min <= 0 || f.Allocs.Min <= 0 || f.Bytes.Min <= 0 {
			t.Errorf("%s: a figure is not positive: %+v", f.Name, f)
		}
		if f.Name == f.Baseline && (f.CPURatio != spread{1, 1, 1} || f.MoreAllocs != 0) {
			t.Errorf("%s: a baseline differs from itself: %+v", f.Name, f)
		}
		least := 50.0
		if strings.HasPrefix(f.Name, "client/") {
			least = 25
		}
		if strings.HasSuffix(f.Name, "/assembled") && f.MoreAllocs < least {
			t.Errorf("%s: %.1f allocations more than bare, expected its features to run and cost over %.0f", f.Name, f.MoreAllocs, least)
		}
	}
}

// What the chassis may cost, by the numbers of its specification. Allocations do not depend on the machine and are
// held to the number. The CPU ratio is made within one run but still carries noise of 15 to 25 %, more on a busy
// machine, so it has room: the limit for a quiet one is 1.25.
const (
	mostAllocs   = 5
	mostBytes    = 700
	mostOfCaller = 6 // allocations of the client's side
	mostCPU      = 1.25 * 1.2
	mostRESTCPU  = 2.0 * 1.2
	costRounds   = 9
	costCalls    = 5000
	chassisCosts = "/(bare|chassis)$"
)

func TestChassisCost(t *testing.T) {
	switch {
	case testing.Short():
		t.Skip("takes several seconds")
	case raceDetector:
		t.Skip("the race detector costs more than what is measured")
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
		t.Logf("%s: CPU ratio %s, %+.1f allocations, %+.0f bytes", f.Name, f.CPURatio.text("%.2f"), f.MoreAllocs, f.MoreBytes)
		limit := mostCPU
		switch kind, _, _ := strings.Cut(f.Name, "/"); kind {
		case "rest":
			limit = mostRESTCPU
		case "client":
			assertAtMost(t, f.Name, "allocations more than bare", math.Round(f.MoreAllocs), mostOfCaller)
		default:
			assertAtMost(t, f.Name, "allocations more than bare", math.Round(f.MoreAllocs), mostAllocs)
			assertAtMost(t, f.Name, "bytes more than bare", math.Round(f.MoreBytes), mostBytes)
		}
		assertAtMost(t, f.Name, "times the CPU of bare", f.CPURatio.Median, limit)
	}
}

func assertAtMost(t *testing.T, name, what string, got, most float64) {
	t.Helper()
	if got > most {
		t.Errorf("%s: %.2f %s, expected at most %.2f", name, got, what, most)
	}
}

func TestChooseBringsTheBaselineAlong(t *testing.T) {
	tests := []struct {
		pattern string
		want    []string
	}{
		{"grpc/mtls/assembled", []string{"grpc/mtls/bare", "grpc/mtls/assembled"}},
		{"grpc/plain/bare", []string{"grpc/plain/bare"}},
		{"gateway-tcp", []string{"rest/plain/bare", "rest/plain/gateway-tcp"}},
		{"no such thing", nil},
	}
	for _, test := range tests {
		chosen, err := choose(contenders(), regexp.MustCompile(test.pattern))
		if (err != nil) != (test.want == nil) {
			t.Errorf("%q: error %v", test.pattern, err)
		}
		var names []string
		for _, c := range chosen {
			names = append(names, c.name)
		}
		if !slices.Equal(names, test.want) {
			t.Errorf("%q: chose %q, expected %q", test.pattern, names, test.want)
		}
	}
}

func TestSpread(t *testing.T) {
	tests := []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{4, 1, 2}, spread{1, 2, 4}},
		{[]float64{4, 1, 2, 3}, spread{1, 2.5, 4}},
	}
	for _, test := range tests {
		if got := spreadOf(test.values); got != test.want {
			t.Errorf("%v: %+v, expected %+v", test.values, got, test.want)
		}
	}
}

func TestServerProcessSaysWhyItDidNotStart(t *testing.T) {
	_, err := startProcess(contender{name: "grpc/plain/unheard-of"}, certDir(t.TempDir()), "", cores.Find())
	if err == nil || !strings.Contains(err.Error(), "unheard-of did not start") {
		t.Errorf("got %v, expected an error that names the server", err)
	}
}
