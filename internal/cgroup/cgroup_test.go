package cgroup_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/betmakers/paddock/internal/cgroup"
)

// files are the files of a machine by their path.
func files(of map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range of {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

const (
	second = "sys/fs/cgroup/cgroup.controllers"
	stat2  = "usage_usec 9\nnr_periods 100\nnr_throttled 7\nthrottled_usec 1500000\n"
	stat1  = "nr_periods 100\nnr_throttled 7\nthrottled_time 1500000000\n"
)

func TestGroup(t *testing.T) {
	memory, cpu := cgroup.Memory{Limit: 1 << 30, Usage: 1 << 20}, cgroup.CPU{Limit: 1.5, Periods: 100, Throttled: 7, ThrottledFor: 1500 * time.Millisecond}
	for name, tc := range map[string]struct {
		files  map[string]string
		memory *cgroup.Memory
		cpu    *cgroup.CPU
	}{
		"version 2, in a container": {map[string]string{
			second: "cpu memory", "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "1073741824\n", "sys/fs/cgroup/memory.current": "1048576\n",
			"sys/fs/cgroup/cpu.max": "150000 100000\n", "sys/fs/cgroup/cpu.stat": stat2,
		}, &memory, &cpu},
		"version 2, below limits": {map[string]string{
			second: "cpu memory", "proc/self/cgroup": "0::/pod/container\n",
			"sys/fs/cgroup/pod/container/memory.max": "max\n", "sys/fs/cgroup/pod/container/cpu.max": "400000 100000\n",
			"sys/fs/cgroup/pod/memory.max": "1073741824\n", "sys/fs/cgroup/pod/memory.current": "1048576\n",
			"sys/fs/cgroup/pod/cpu.max": "150000 100000\n", "sys/fs/cgroup/pod/cpu.stat": stat2,
		}, &memory, &cpu},
		"version 2, a path from outside": {map[string]string{
			second: "cpu memory", "proc/self/cgroup": "0::/../../kubepods/x\n",
			"sys/fs/cgroup/memory.max": "1073741824\n", "sys/fs/cgroup/memory.current": "1048576\n",
		}, &memory, nil},
		"version 2, no limits": {map[string]string{
			second: "cpu memory", "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "max 100000\n",
		}, nil, nil},
		"version 1": {map[string]string{
			"proc/self/cgroup":                             "4:memory:/c\n3:cpu,cpuacct:/c\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
			"sys/fs/cgroup/memory/c/memory.limit_in_bytes": "1073741824\n", "sys/fs/cgroup/memory/c/memory.usage_in_bytes": "1048576\n",
			"sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "150000\n", "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000\n", "sys/fs/cgroup/cpu/c/cpu.stat": stat1,
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, &memory, &cpu},
		"nonsense": {map[string]string{
			second: "", "proc/self/cgroup": ":::\n\x00", "sys/fs/cgroup/memory.max": "-5", "sys/fs/cgroup/cpu.max": "0 0", "sys/fs/cgroup/cpu.stat": "x",
		}, nil, nil},
	} {
		g := cgroup.Find(files(tc.files))
		if g == nil {
			t.Fatalf("%s: no group", name)
		}
		if got, limited := g.Memory(); limited != (tc.memory != nil) || limited && got != *tc.memory {
			t.Errorf("%s: memory is %+v, %v, want %+v", name, got, limited, tc.memory)
		}
		if got, limited := g.CPU(); limited != (tc.cpu != nil) || limited && got != *tc.cpu {
			t.Errorf("%s: cpu is %+v, %v, want %+v", name, got, limited, tc.cpu)
		}
	}
}

func TestNoCgroups(t *testing.T) {
	if g := cgroup.Find(files(nil)); g != nil {
		t.Error("found one")
	}
	if n := testutil.CollectAndCount(cgroup.NewCollector(files(nil))); n != 0 {
		t.Errorf("%d series", n)
	}
}

func TestCollector(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(cgroup.NewCollector(files(map[string]string{
		second: "cpu", "sys/fs/cgroup/cpu.max": "150000 100000\n", "sys/fs/cgroup/cpu.stat": stat2,
	})))
	want := `
		# HELP chassis_cgroup_cpu_throttled_seconds_total Total time that the container's tasks were stopped because of its limit. Absent like chassis_cgroup_cpu_limit.
		# TYPE chassis_cgroup_cpu_throttled_seconds_total counter
		chassis_cgroup_cpu_throttled_seconds_total 1.5
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "chassis_cgroup_cpu_throttled_seconds_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 4 {
		t.Errorf("%d series, %v, want those of the processors", n, err)
	}
}
