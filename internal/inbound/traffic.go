package inbound

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// allCodes is the number of gRPC's status codes.
const allCodes = int(codes.Unauthenticated) + 1

// traffic counts the calls of a method, each thing in one place: metrics, which read it at each
// scrape, and readers inside the process have the same numbers.
type traffic struct {
	inFlight       atomic.Int64
	byREST         atomic.Int64            // of those in flight
	byCode         [allCodes]atomic.Uint64 // ended
	spent          spending
	received, sent sizes
}

// ended returns the number of ended calls, and of those with another code than OK.
func (t *traffic) ended() (calls, failed uint64) {
	for code := range t.byCode {
		n := t.byCode[code].Load()
		calls += n
		if codes.Code(code) != codes.OK {
			failed += n
		}
	}
	return calls, failed
}

// trafficMetrics read the traffic of all methods when they are collected.
type trafficMetrics struct {
	inFlight, calls, spent, size *prometheus.Desc
	sizes                        bool // are known

	mu      sync.Mutex
	methods []methodMetrics
}

func newTrafficMetrics(sizes bool) *trafficMetrics {
	return &trafficMetrics{
		inFlight: catalog.RPCInFlight.Desc(), calls: catalog.RPCCalls.Desc(), spent: catalog.RPCTime.Desc(),
		size: catalog.RPCMessageSize.Desc(), sizes: sizes,
	}
}

func (t *trafficMetrics) add(m methodMetrics) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.methods = append(t.methods, m)
}

// ended returns the number of ended calls of all methods.
func (t *trafficMetrics) ended() (all uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.methods {
		calls, _ := m.traffic.ended()
		all += calls
	}
	return all
}

// streams returns the number of calls in flight that did not come by REST.
func (t *trafficMetrics) streams() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := int64(0)
	for _, m := range t.methods {
		n += m.traffic.inFlight.Load() - m.traffic.byREST.Load()
	}
	return int(n)
}

func (t *trafficMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{t.inFlight, t.calls, t.spent, t.size} {
		ch <- desc
	}
}

func (t *trafficMetrics) Collect(ch chan<- prometheus.Metric) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.methods {
		if !m.quiet {
			t.collect(ch, m.name, m.traffic)
		}
	}
}

func (t *trafficMetrics) collect(ch chan<- prometheus.Metric, name string, its *traffic) {
	ch <- prometheus.MustNewConstMetric(t.inFlight, prometheus.GaugeValue, float64(its.inFlight.Load()), name)
	for i := range its.byCode {
		code, n := codes.Code(i), its.byCode[i].Load()
		if n > 0 || name != otherMethods || code == codes.Unimplemented {
			ch <- prometheus.MustNewConstMetric(t.calls, prometheus.CounterValue, float64(n), name, rpcstatus.Name(code), errorType(code))
		}
	}
	for component, spent := range its.spent.byName() {
		ch <- prometheus.MustNewConstMetric(t.spent, prometheus.CounterValue, spent.Seconds(), name, component)
	}
	if t.sizes && name != otherMethods {
		its.received.collect(ch, t.size, name, "received")
		its.sent.collect(ch, t.size, name, "sent")
	}
}
