package inbound

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// otherMethods is the name under which calls of unregistered methods are counted.
const otherMethods = "_OTHER"

// methodMetrics are the handles of one method, resolved when they are first needed. Calls of a
// quiet method are only counted for readers inside the process.
type methodMetrics struct {
	obs     *observer
	name    string
	quiet   bool
	traffic *traffic
	slo     methodSLO
	byCode  *rpcstatus.PerCode[catalog.HistogramChild]
}

func (o *observer) metricsOf(record *contract.Method) methodMetrics {
	m := methodMetrics{obs: o, name: record.Name, quiet: record.Quiet, traffic: new(traffic)}
	if m.quiet {
		return m
	}
	m.byCode = new(rpcstatus.PerCode[catalog.HistogramChild])
	m.slo = sloOf(o, record.Name, record.Objectives)
	if record.Overridden {
		o.overridden.WithLabelValues(record.Name).Set(1)
	}
	if record.Deprecated {
		o.deprecated.WithLabelValues(record.Name).Set(1)
	}
	o.fromZero(record, &m)
	return m
}

// duration returns the catalog.HistogramChild of a code. A code outside the 17 of gRPC counts as
// UNKNOWN.
func (m *methodMetrics) duration(code codes.Code) catalog.HistogramChild {
	return m.byCode.Get(code, func(code codes.Code) catalog.HistogramChild {
		return m.obs.duration.WithLabelValues(m.name, rpcstatus.Name(code), errorType(code), catalog.GRPC).(catalog.HistogramChild)
	})
}

// observe records a call that has ended with code.
func (m *methodMetrics) observe(c *call, code codes.Code, elapsed time.Duration) {
	reason := c.reason()
	m.traffic.byCode[rpcstatus.Known(code)].Add(1)
	if m.quiet {
		return
	}
	c.spent.close(&m.traffic.spent, elapsed)
	c.trace.observe(m.duration(code), elapsed)
	m.obs.callers.count(c.caller, c.method.server.trustDomain, resultFor(c, reason))
	m.count(code, reason, c.byCaller, elapsed)
}

// count counts a call that was refused for reason, which is empty for most, and counts for the
// method's objectives. byCaller reports that the caller caused its failure.
func (m *methodMetrics) count(code codes.Code, reason Reason, byCaller bool, elapsed time.Duration) {
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
