package inbound

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/betmakers/paddock/internal/catalog"
)

// observer has what all methods share in the pass.
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

// unsampled returns the flags of an unrecorded call. A service that records nothing at all
// forwards the caller's flags unchanged, because other services may record. A service that
// records some calls clears them.
func (o *observer) unsampled(callers trace.TraceFlags) trace.TraceFlags {
	if o.cfg.Tracer == nil {
		return callers
	}
	return callers &^ trace.FlagsSampled
}
