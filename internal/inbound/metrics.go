package inbound

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// methodMetrics are the handles of one method, resolved when they are first needed.
type methodMetrics struct {
	obs     *observer
	name    string
	traffic *traffic
	slo     methodSLO
	byCode  *rpcstatus.PerCode[catalog.HistogramChild]
}

// traffic counts calls for readers inside the process. The catalog.HistogramChild has the same
// counts for metrics.
type traffic struct {
	inFlight      atomic.Int64
	calls, failed atomic.Uint64
}

func (o *observer) metricsOf(name string) methodMetrics {
	m := methodMetrics{obs: o, name: name, traffic: new(traffic)}
	m.byCode = new(rpcstatus.PerCode[catalog.HistogramChild])
	m.duration(codes.OK)
	return m
}

// duration returns the catalog.HistogramChild of a code. A code outside the 17 of gRPC counts as
// UNKNOWN.
func (m *methodMetrics) duration(code codes.Code) catalog.HistogramChild {
	return m.byCode.Get(code, func(code codes.Code) catalog.HistogramChild {
		return m.obs.duration.WithLabelValues(m.name, rpcstatus.Name(code), errorType(code), catalog.GRPC).(catalog.HistogramChild)
	})
}

// count counts a call that has ended with code and was refused for reason, which is empty for
// most. byCaller reports that the caller caused its failure.
func (m *methodMetrics) count(code codes.Code, reason Reason, byCaller bool, elapsed time.Duration) {
	m.traffic.calls.Add(1)
	if code != codes.OK {
		m.traffic.failed.Add(1)
	}
	if reason != "" {
		m.obs.rejected.WithLabelValues(m.name, string(reason)).Inc()
	}
	switch reason {
	case "", ReasonFault: // injected faults count against objectives like real ones
		if byCaller {
			m.slo.countHasty(elapsed)
			return
		}
		fallthrough
	case ReasonOverload, ReasonShutdown, ReasonUnaudited:
		m.slo.count(code, elapsed)
	}
}
