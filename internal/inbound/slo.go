package inbound

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/contract"
)

// methodSLO are the counters of one method's objectives, nil for a method without. A caller's
// mistake is not counted.
type methodSLO struct {
	available, unavailable prometheus.Counter
	answered, slow         prometheus.Counter
	within                 time.Duration
}

const (
	sloAvailability = "availability"
	sloLatency      = "latency"
)

// sloOf makes the counters of a method and publishes its objectives.
func sloOf(o *observer, name string, promised contract.Objectives) methodSLO {
	var slo methodSLO
	if promised.Availability > 0 {
		o.objective.WithLabelValues(name, sloAvailability).Set(ratio(promised.Availability))
		slo.available = o.sloRequests.WithLabelValues(name, sloAvailability)
		slo.unavailable = o.sloBad.WithLabelValues(name, sloAvailability)
	}
	if promised.Latency > 0 {
		o.objective.WithLabelValues(name, sloLatency).Set(ratio(promised.Latency))
		slo.answered = o.sloRequests.WithLabelValues(name, sloLatency)
		slo.slow = o.sloBad.WithLabelValues(name, sloLatency)
		slo.within = promised.Within
	}
	return slo
}

// ratio converts a percentage to a ratio without the rounding errors of binary fractions: 99.9 is
// 0.999.
func ratio(percent float64) float64 { return math.Round(percent*1e7) / 1e9 }

// count counts a finished call that reached its handler; an earlier refusal is a caller's
// mistake. Availability counts calls that succeeded or failed by the service's fault, latency
// those that succeeded.
func (slo *methodSLO) count(code codes.Code, elapsed time.Duration) {
	ok, fault := code == codes.OK, errorType(code) != ""
	if slo.available != nil && (ok || fault) {
		slo.available.Inc()
		if fault {
			slo.unavailable.Inc()
		}
	}
	if slo.answered != nil && ok {
		slo.answered.Inc()
		if elapsed > slo.within {
			slo.slow.Inc()
		}
	}
}

// countHasty counts a call whose caller did not wait. The method has not failed it. But if the
// caller has waited for longer than the promised latency, it counts as slow, so that a service
// that hangs shows even if no caller waits as long as the contract allows.
func (slo *methodSLO) countHasty(elapsed time.Duration) {
	if slo.answered != nil && elapsed > slo.within {
		slo.answered.Inc()
		slo.slow.Inc()
	}
}
