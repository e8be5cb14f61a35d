package admission

import (
	"runtime"
	"runtime/metrics"
)

// Look is the state of Go's scheduler at one moment.
type Look struct {
	Procs    int // processors that Go uses; the runtime follows the cgroup's quota
	Runnable int // goroutines that wait for one
}

// scheduler returns a function that looks at Go's scheduler. It must not be called concurrently.
// A look takes about a microsecond, more with many processors: it holds the scheduler's lock and
// visits each of them.
func scheduler() func() Look {
	samples := []metrics.Sample{
		{Name: "/sched/gomaxprocs:threads"}, {Name: "/sched/goroutines/runnable:goroutines"},
	}
	return func() Look {
		metrics.Read(samples)
		if samples[0].Value.Kind() != metrics.KindUint64 || samples[1].Value.Kind() != metrics.KindUint64 {
			return Look{Procs: runtime.GOMAXPROCS(0)} // a later Go has them no more: nothing is ever held back
		}
		return Look{int(samples[0].Value.Uint64()), int(samples[1].Value.Uint64())} //nolint:gosec // counts
	}
}
