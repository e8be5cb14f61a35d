package main

import (
	"bytes"
	"encoding/json"
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
	like := map[string]bool{}
	for _, c := range contenders() {
		like[c.name] = c.like != ""
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
		if (f.LikeRatio != nil) != like[f.Name] {
			t.Errorf("%s: compared with as many stream workers: %t, expected %t", f.Name, f.LikeRatio != nil, like[f.Name])
		}
		least := 50.0
		if strings.HasPrefix(f.Name, "client/") {
			least = 25
		}
		if strings.Contains(f.Name, "/assembled") && f.MoreAllocs < least {
			t.Errorf("%s: %.1f allocations more than bare, expected its features to run and cost over %.0f", f.Name, f.MoreAllocs, least)
		}
	}
}

func TestChooseBringsTheBaselineAlong(t *testing.T) {
	tests := []struct {
		pattern string
		want    []string
	}{
		{"grpc/mtls/assembled$", []string{"grpc/mtls/bare", "grpc/mtls/assembled"}},
		{"grpc/mtls/chassis", []string{"grpc/mtls/bare", "grpc/mtls/bare-workers", "grpc/mtls/chassis"}},
		{"grpc/plain/bare$", []string{"grpc/plain/bare"}},
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
