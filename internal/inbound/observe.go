package inbound

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/bounded"
	"github.com/betmakers/paddock/internal/catalog"
)

// observer has what all methods share in the pass.
type observer struct {
	cfg      Config
	keys     contextKeys
	duration *prometheus.HistogramVec
	rejected *prometheus.CounterVec
	panics   *prometheus.CounterVec
	audited  *prometheus.CounterVec
	bounded  *bounded.Resources
	faults   *prometheus.CounterVec

	overridden          *prometheus.GaugeVec
	deprecated          *prometheus.GaugeVec
	objective           *prometheus.GaugeVec
	sloRequests, sloBad *prometheus.CounterVec

	http    *httpMetrics
	traffic *trafficMetrics
	callers *callers
	lines   lineWriter
	load    load
}

func newObserver(cfg Config) (*observer, error) {
	o := &observer{
		cfg:      cfg,
		keys:     findContextKeys(),
		duration: catalog.RPCServerCallDuration.Native(cfg.NativeHistograms).HistogramVec(),
		rejected: catalog.RPCRejected.CounterVec(),
		panics:   catalog.Panics.CounterVec(),
		audited:  catalog.RPCAudited.CounterVec(),
		faults:   catalog.FaultsInjected.CounterVec(),

		overridden:  catalog.PolicyOverridden.GaugeVec(),
		deprecated:  catalog.RPCDeprecated.GaugeVec(),
		objective:   catalog.SLOObjective.GaugeVec(),
		sloRequests: catalog.SLORequests.CounterVec(),
		sloBad:      catalog.SLOBadRequests.CounterVec(),

		http:    newHTTPMetrics(cfg.NativeHistograms),
		traffic: newTrafficMetrics(cfg.Sizes),
		callers: newCallers(catalog.RPCCallerCalls.CounterVec()),
	}
	o.load.ended, o.load.cpu = o.traffic.ended, processCPU
	var err error
	if o.bounded, err = bounded.Of(cfg.Registerer); err != nil {
		return nil, err
	}
	if cfg.Admission != nil {
		err = o.bounded.Add(bounded.Admission, "calls", admissionState(cfg.Admission))
	}
	if cfg.Registerer == nil {
		return o, err
	}
	errs := []error{err}
	for _, c := range []prometheus.Collector{
		newAdmissionMetrics(cfg.Admission), o.duration, o.rejected, o.audited, o.faults, o.overridden, o.deprecated, o.objective,
		o.sloRequests, o.sloBad, o.http.duration, o.http.requests, o.traffic, o.callers.vec,
	} {
		errs = append(errs, cfg.Registerer.Register(c))
	}
	errs = append(errs, catalog.Register(cfg.Registerer, &o.panics)) // other parts count theirs in the same metric
	o.panics.WithLabelValues("rpc")
	o.panics.WithLabelValues("http")
	return o, errors.Join(errs...)
}

// sampled decides whether a call is recorded.
func (o *observer) sampled(parent trace.SpanContext, id trace.TraceID) bool {
	return o.cfg.Tracer != nil && o.cfg.Sampled != nil && o.cfg.Sampled(parent, id)
}

// unsampled returns the flags of an unrecorded call. A service that records nothing at all
// forwards the caller's flags unchanged, because other services may record. A service that
// records some calls clears them.
func (o *observer) unsampled(callers trace.TraceFlags) trace.TraceFlags {
	if o.cfg.Tracer == nil {
		return callers
	}
	return callers &^ trace.FlagsSampled
}
