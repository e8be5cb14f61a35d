package contract

import (
	"slices"
	"strings"

	"github.com/betmakers/paddock/internal/catalog"
)

// set is a set of label names.
type set map[string]bool

func of(names ...string) set {
	s := set{}
	for _, name := range names {
		s[name] = true
	}
	return s
}

func (s set) with(others ...string) set {
	all := set{}
	for name := range s {
		all[name] = true
	}
	for _, name := range others {
		all[name] = true
	}
	return all
}

func (s set) without(others ...string) set {
	rest := set{}
	for name := range s {
		if !slices.Contains(others, name) {
			rest[name] = true
		}
	}
	return rest
}

func (s set) names() []string {
	var names []string
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// scraped are the labels that a scrape adds. Any series may lack cluster, namespace and pod.
var scraped = []string{"cluster", "namespace", "pod", "job", "instance"}

// series is what is known of the series of one name.
type series struct {
	labels  set
	counter bool
}

// Schema knows the series that expressions may read.
type Schema map[string]series

// foreign are series that other projects name, and that the rules or dashboards read.
var foreign = Schema{
	"up":                            {labels: of(scraped...)},
	"ALERTS":                        {labels: of(scraped...).with("alertname", "alertstate", "severity", "dora", "service_name", "rpc_method")},
	"go_goroutines":                 {labels: of(scraped...)},
	"go_sched_gomaxprocs_threads":   {labels: of(scraped...)},
	"go_gc_duration_seconds_sum":    {labels: of(scraped...), counter: true},
	"process_cpu_seconds_total":     {labels: of(scraped...), counter: true},
	"process_resident_memory_bytes": {labels: of(scraped...)},
	"process_open_fds":              {labels: of(scraped...)},
	"process_max_fds":               {labels: of(scraped...)},
}

// New returns the schema of the catalogue's metrics and of those that come from elsewhere.
func New(metrics []catalog.Metric) Schema {
	schema := Schema{}
	for name, s := range foreign {
		schema[name] = s
	}
	for _, m := range metrics {
		labels := of(scraped...)
		for _, l := range m.Labels {
			labels = labels.with(l.Name)
		}
		if m.Type != catalog.Histogram {
			schema[m.Name] = series{labels, m.Type == catalog.Counter}
			continue
		}
		schema[m.Name+"_bucket"] = series{labels.with("le"), true}
		schema[m.Name+"_sum"] = series{labels, true}
		schema[m.Name+"_count"] = series{labels, true}
	}
	return schema
}

func (s Schema) metric(name string) (series, bool) {
	found, ok := s[name]
	return found, ok
}

// like returns a name of the schema that begins as name does, for the error.
func (s Schema) like(name string) string {
	best, length := "", 0
	for known := range s {
		n := 0
		for n < len(known) && n < len(name) && known[n] == name[n] {
			n++
		}
		if n > length || n == length && strings.Compare(known, best) < 0 {
			best, length = known, n
		}
	}
	return best
}
