package inbound

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/contract"
)

// methodSLO are the handles of one method; nil counters where it promises nothing. A caller's mistake counts neither
// way.
type methodSLO struct {
	available, unavailable prometheus.Counter
	answered, slow         prometheus.Counter
	within                 time.Duration
}

const (
	sloAvailability = "availability"
	sloLatency      = "latency"
)

// sloOf makes the handles of a method and publishes what it promises.
func (o *observer) sloOf(name string, promised contract.Objectives) methodSLO {
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

// ratio turns a percentage into a ratio without the tail that binary fractions leave: 99.9 is 0.999.
func ratio(percent float64) float64 { return math.Round(percent*1e7) / 1e9 }

// count takes a finished call that reached its handler: what was refused before was a caller's mistake. Availability
// looks at calls that succeeded or failed by the service's fault, latency at those that succeeded.
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

// countHasty takes a call whose caller did not wait. It is none that the method has failed, but where the caller has
// waited for longer than an answer is promised within, it is a slow one: a service that hangs shows even if no caller
// waits for as long as the contract allows.
func (slo *methodSLO) countHasty(elapsed time.Duration) {
	if slo.answered != nil && elapsed > slo.within {
		slo.answered.Inc()
		slo.slow.Inc()
	}
}
