package bounded

import (
	"math"
	"runtime"
	"runtime/metrics"
	"time"
)

// ProcessorState returns the state of the processors, as Go's scheduler sees them: GOMAXPROCS is
// the limit, goroutines that run are in use, and those that could run wait.
//
// The time that all goroutines have waited is the sum of a histogram, taken at the middle of each
// of its buckets, which are narrow. It is an estimate, and never falls.
func ProcessorState() State {
	samples := []metrics.Sample{
		{Name: "/sched/goroutines/running:goroutines"}, {Name: "/sched/goroutines/runnable:goroutines"}, {Name: "/sched/latencies:seconds"},
	}
	metrics.Read(samples)
	s := State{Limit: runtime.GOMAXPROCS(0), InUse: count(samples[0]), Waits: true, Queued: count(samples[1])}
	if latencies := samples[2].Value; latencies.Kind() == metrics.KindFloat64Histogram {
		s.Waited = sum(latencies.Float64Histogram())
	}
	return s
}

// count returns a number of goroutines. A Go that does not know it has none.
func count(s metrics.Sample) int {
	if s.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int(s.Value.Uint64()) //nolint:gosec // goroutines
}

// sum estimates the sum of what a histogram has counted.
func sum(h *metrics.Float64Histogram) time.Duration {
	seconds := 0.0
	for i, n := range h.Counts {
		low, high := h.Buckets[i], h.Buckets[i+1]
		switch {
		case n == 0:
			continue
		case math.IsInf(low, -1):
			low = 0
		}
		if math.IsInf(high, 1) {
			high = low
		}
		seconds += float64(n) * (low + high) / 2
	}
	return time.Duration(seconds * float64(time.Second))
}
