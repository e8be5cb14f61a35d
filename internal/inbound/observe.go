package inbound

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// observer is what the pass shares between methods.
type observer struct {
	cfg       Config
	keys      contextKeys
	duration  *prometheus.HistogramVec
	rejected  *prometheus.CounterVec
	panics    *prometheus.CounterVec
	audited   *prometheus.CounterVec
	resources *resourceMetrics
	faults    *prometheus.CounterVec

	overridden          *prometheus.GaugeVec
	objective           *prometheus.GaugeVec
	sloRequests, sloBad *prometheus.CounterVec

	http     *httpMetrics
	inFlight *inFlightCollector
	lines    lineWriter
	load     load
}

func newObserver(cfg Config) (*observer, error) {
	o := &observer{
		cfg:       cfg,
		keys:      findContextKeys(),
		duration:  catalog.RPCServerCallDuration.HistogramVec(),
		rejected:  catalog.RPCRejected.CounterVec(),
		panics:    catalog.Panics.CounterVec(),
		audited:   catalog.RPCAudited.CounterVec(),
		resources: newResourceMetrics(),
		faults:    catalog.FaultsInjected.CounterVec(),

		overridden:  catalog.PolicyOverridden.GaugeVec(),
		objective:   catalog.SLOObjective.GaugeVec(),
		sloRequests: catalog.SLORequests.CounterVec(),
		sloBad:      catalog.SLOBadRequests.CounterVec(),

		http:     newHTTPMetrics(),
		inFlight: &inFlightCollector{desc: catalog.RPCInFlight.Desc()},
	}
	o.load.ended, o.load.cpu = o.inFlight.ended, processCPU
	if cfg.Registerer == nil {
		return o, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		newAdmissionMetrics(cfg.Admission), o.resources, o.duration, o.rejected, o.audited, o.faults, o.overridden, o.objective,
		o.sloRequests, o.sloBad, o.http.duration, o.inFlight,
	} {
		errs = append(errs, cfg.Registerer.Register(c))
	}
	errs = append(errs, catalog.Register(cfg.Registerer, &o.panics)) // other parts count theirs in the same metric
	return o, errors.Join(errs...)
}

// sampled decides whether a call is recorded.
func (o *observer) sampled(parent trace.SpanContext, id trace.TraceID) bool {
	return o.cfg.Tracer != nil && o.cfg.Sampled != nil && o.cfg.Sampled(parent, id)
}

// unsampled returns the flags of a call that is not recorded. A service that records nothing at all hands the
// caller's on as they came, as others may record; one that chose not to says so.
func (o *observer) unsampled(callers trace.TraceFlags) trace.TraceFlags {
	if o.cfg.Tracer == nil {
		return callers
	}
	return callers &^ trace.FlagsSampled
}

// methodMetrics are the handles of one method, resolved when they are first needed.
type methodMetrics struct {
	obs     *observer
	name    string
	traffic *traffic
	slo     methodSLO
	byCode  *rpcstatus.PerCode[catalog.HistogramChild]
}

// traffic counts calls for whoever looks at the process itself; the catalog.HistogramChild has the same for everybody else.
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

// duration returns the catalog.HistogramChild of a code. A code outside the 17 of gRPC counts as UNKNOWN.
func (m *methodMetrics) duration(code codes.Code) catalog.HistogramChild {
	return m.byCode.Get(code, func(code codes.Code) catalog.HistogramChild {
		return m.obs.duration.WithLabelValues(m.name, rpcstatus.Name(code), errorType(code)).(catalog.HistogramChild)
	})
}

func (m *methodMetrics) observe(c *call, out outcome, elapsed time.Duration) {
	c.trace.observe(m.duration(out.code), elapsed)
	m.traffic.calls.Add(1)
	if out.code != codes.OK {
		m.traffic.failed.Add(1)
	}
	reason := c.reason()
	if reason != "" {
		m.obs.rejected.WithLabelValues(m.name, string(reason)).Inc()
	}
	switch reason {
	case "", ReasonFault: // none of the caller's: objectives feel injected faults as in earnest
		if c.byCaller {
			m.slo.countHasty(elapsed)
			return
		}
		fallthrough
	case ReasonOverload, ReasonShutdown, ReasonUnaudited:
		m.slo.count(out.code, elapsed)
	}
}

// observe records elapsed, with the trace as exemplar if there is one to look at.
func (t *callTrace) observe(h catalog.HistogramChild, elapsed time.Duration) {
	if t.recorded == nil {
		h.Observe(elapsed.Seconds())
		return
	}
	sc := t.context()
	h.ObserveWithExemplar(elapsed.Seconds(), prometheus.Labels{
		"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String(),
	})
}

// inFlightCollector reads the calls in flight when somebody asks, so that a call counts itself once.
type inFlightCollector struct {
	desc    *prometheus.Desc
	mu      sync.Mutex
	methods []*Method
}

func (c *inFlightCollector) add(m *Method) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.methods = append(c.methods, m)
}

func (c *inFlightCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *inFlightCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.methods {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(m.InFlight()), m.Name)
	}
}

// ended returns how many calls have ended, of all methods.
func (c *inFlightCollector) ended() (calls uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.methods {
		calls += m.metrics.traffic.calls.Load()
	}
	return calls
}
