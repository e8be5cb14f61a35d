// Package cgroup measures the limits of the container that the process runs in, and how often it
// reaches them. A process that is throttled looks slow from within, and one that reaches its
// memory limit is killed without a word.
package cgroup

import (
	"bufio"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// Memory is the memory of the cgroup with the least limit.
type Memory struct{ Limit, Usage uint64 }

// CPU is the time of the cgroup with the least limit.
type CPU struct {
	Limit              float64 // processors
	Periods, Throttled uint64
	ThrottledFor       time.Duration
}

// Group is the place of the process in the hierarchies of cgroups, version 2 or 1. A container
// often sees its own cgroup as the root. So the limits of all cgroups above count too, as far as
// they can be seen.
type Group struct {
	files       fs.FS // the root of the file system
	memory, cpu []string
	second      bool // version 2
}

const mount = "sys/fs/cgroup"

// Find returns the group of the process, nil where there are no cgroups.
func Find(files fs.FS) *Group {
	g := &Group{files: files}
	if _, err := fs.Stat(files, mount+"/cgroup.controllers"); err == nil {
		g.second = true
		above := upwards(mount, g.own(""))
		g.memory, g.cpu = above, above
		return g
	}
	g.memory = upwards(mount+"/memory", g.own("memory"))
	g.cpu = upwards(mount+"/cpu", g.own("cpu"))
	if _, err := fs.Stat(files, mount+"/memory"); err == nil {
		return g
	}
	if _, err := fs.Stat(files, mount+"/cpu"); err == nil {
		return g
	}
	return nil
}

// own returns the path of the process in the hierarchy of a controller, whose name is empty in
// version 2.
func (g *Group) own(controller string) string {
	for _, line := range lines(g.files, "proc/self/cgroup") {
		_, rest, _ := strings.Cut(line, ":")
		controllers, at, ok := strings.Cut(rest, ":")
		for one := range strings.SplitSeq(controllers, ",") {
			if ok && one == controller {
				return at
			}
		}
	}
	return "/"
}

// upwards returns the folders of a group and of all above it. A path from outside of the
// container does not exist within, and its files are not found.
func upwards(root, own string) (folders []string) {
	for at := path.Clean("/" + own); at != "/"; at = path.Dir(at) {
		folders = append(folders, root+at)
	}
	return append(folders, root)
}

// Memory returns false if there is no limit.
func (g *Group) Memory() (least Memory, limited bool) {
	limitFile, usageFile := "memory.max", "memory.current"
	if !g.second {
		limitFile, usageFile = "memory.limit_in_bytes", "memory.usage_in_bytes"
	}
	const unlimited = 1 << 60 // version 1 writes a number near the largest
	for _, folder := range g.memory {
		limit, ok := number(g.files, path.Join(folder, limitFile))
		if !ok || limit >= unlimited || limited && limit >= least.Limit {
			continue
		}
		usage, _ := number(g.files, path.Join(folder, usageFile))
		least, limited = Memory{limit, usage}, true
	}
	return least, limited
}

// CPU returns false if there is no limit.
func (g *Group) CPU() (least CPU, limited bool) {
	for _, folder := range g.cpu {
		limit, ok := g.processors(folder)
		if !ok || limited && limit >= least.Limit {
			continue
		}
		least, limited = g.throttling(folder), true
		least.Limit = limit
	}
	return least, limited
}

// processors returns the limit of a group: its share of each period.
func (g *Group) processors(folder string) (limit float64, ok bool) {
	quota, period := "", ""
	if g.second {
		if text := lines(g.files, path.Join(folder, "cpu.max")); len(text) > 0 {
			quota, period, _ = strings.Cut(text[0], " ")
		}
	} else {
		quota, period = first(g.files, path.Join(folder, "cpu.cfs_quota_us")), first(g.files, path.Join(folder, "cpu.cfs_period_us"))
	}
	part, err := strconv.ParseInt(quota, 10, 64) // "max" in version 2, -1 in version 1
	whole, err2 := strconv.ParseInt(period, 10, 64)
	if err != nil || err2 != nil || part <= 0 || whole <= 0 {
		return 0, false
	}
	return float64(part) / float64(whole), true
}

func (g *Group) throttling(folder string) (c CPU) {
	for _, line := range lines(g.files, path.Join(folder, "cpu.stat")) {
		key, text, _ := strings.Cut(line, " ")
		n, err := strconv.ParseUint(text, 10, 62)
		if err != nil {
			continue
		}
		switch key {
		case "nr_periods":
			c.Periods = n
		case "nr_throttled":
			c.Throttled = n
		case "throttled_usec": // version 2
			c.ThrottledFor = time.Duration(n) * time.Microsecond
		case "throttled_time": // version 1
			c.ThrottledFor = time.Duration(n)
		}
	}
	return c
}

// lines returns the lines of a file, at most 64 KiB of it, none if it cannot be read.
func lines(files fs.FS, name string) (all []string) {
	file, err := files.Open(name)
	if err != nil {
		return nil
	}
	defer file.Close() //nolint:errcheck // it was only read
	for scanner := bufio.NewScanner(file); scanner.Scan() && len(all) < 1000; {
		all = append(all, scanner.Text())
	}
	return all
}

func first(files fs.FS, name string) string {
	if text := lines(files, name); len(text) > 0 {
		return text[0]
	}
	return ""
}

func number(files fs.FS, name string) (uint64, bool) {
	n, err := strconv.ParseUint(first(files, name), 10, 64)
	return n, err == nil
}

// Collector reads the group at each scrape, because limits can change.
type Collector struct {
	group                                               *Group
	memoryLimit, memoryUsage                            *prometheus.Desc
	cpuLimit, periods, throttledPeriods, throttledTotal *prometheus.Desc
}

// NewCollector returns a collector for the process. Files is the root of the file system.
func NewCollector(files fs.FS) *Collector {
	return &Collector{
		group:       Find(files),
		memoryLimit: catalog.CgroupMemoryLimit.Desc(), memoryUsage: catalog.CgroupMemoryUsage.Desc(),
		cpuLimit: catalog.CgroupCPULimit.Desc(), periods: catalog.CgroupCPUPeriods.Desc(),
		throttledPeriods: catalog.CgroupCPUThrottledPeriods.Desc(), throttledTotal: catalog.CgroupCPUThrottled.Desc(),
	}
}

// Describe describes the metrics, whether there are limits or not.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.memoryLimit, c.memoryUsage, c.cpuLimit, c.periods, c.throttledPeriods, c.throttledTotal} {
		ch <- desc
	}
}

// Collect sends what is limited.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	if c.group == nil {
		return
	}
	if m, limited := c.group.Memory(); limited {
		ch <- prometheus.MustNewConstMetric(c.memoryLimit, prometheus.GaugeValue, float64(m.Limit))
		ch <- prometheus.MustNewConstMetric(c.memoryUsage, prometheus.GaugeValue, float64(m.Usage))
	}
	if cpu, limited := c.group.CPU(); limited {
		ch <- prometheus.MustNewConstMetric(c.cpuLimit, prometheus.GaugeValue, cpu.Limit)
		ch <- prometheus.MustNewConstMetric(c.periods, prometheus.CounterValue, float64(cpu.Periods))
		ch <- prometheus.MustNewConstMetric(c.throttledPeriods, prometheus.CounterValue, float64(cpu.Throttled))
		ch <- prometheus.MustNewConstMetric(c.throttledTotal, prometheus.CounterValue, cpu.ThrottledFor.Seconds())
	}
}
