package main

import (
	"strings"
	"testing"
)

func TestMetricsAreSummedUp(t *testing.T) {
	m, err := readMetrics(strings.NewReader(`# HELP chassis_rpc_rejected_total Calls refused.
# TYPE chassis_rpc_rejected_total counter
chassis_rpc_rejected_total{reason="overload",rpc_method="a/B"} 3
chassis_rpc_rejected_total{reason="denied",rpc_method="a/B"} 5
chassis_rpc_rejected_total{reason="overload",rpc_method="a/C"} 4
chassis_admission_wait_seconds_total 1.5e-2
`))
	if err != nil {
		t.Fatal(err)
	}
	want := metrics{metricRejected: 7, "chassis_rpc_rejected_total": 12, metricWaited: .015, metricAudited: 0}
	for name, want := range want {
		if got := m[name]; got != want {
			t.Errorf("%s is %v, expected %v", name, got, want)
		}
	}
}
