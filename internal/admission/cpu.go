package admission

import "runtime/metrics"

// runnableGoroutines returns what counts the goroutines that wait for a processor. It must not be called concurrently. It
// takes some 50 ns.
func runnableGoroutines() func() int {
	sample := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}
	return func() int {
		metrics.Read(sample)
		if sample[0].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return int(sample[0].Value.Uint64()) //nolint:gosec // a count of goroutines
	}
}
