package inbound

import (
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/internal/contract"
)

// Counters start at zero. One that appears with its first event is unknown to Prometheus before,
// so increase() and rate() would not see that event.

// fromZero makes the series of a method that its calls can count in.
func (o *observer) fromZero(record *contract.Method, m *methodMetrics) {
	for _, reason := range o.reasonsOf(record) {
		o.rejected.WithLabelValues(record.Name, string(reason))
	}
	if record.Name == otherMethods {
		m.duration(codes.Unimplemented)
		return
	}
	m.duration(codes.OK)
	o.auditedFromZero(record.Name)
	if o.cfg.Admission.Reports() {
		o.audited.WithLabelValues(record.Name, string(ReasonOverload))
	}
	for _, fault := range faultsOf(record) {
		o.faults.WithLabelValues(record.Name, fault)
	}
	if o.cfg.Admission != nil {
		m.traffic.spent.on(heldBack)
	}
	if !record.Unary() {
		m.traffic.spent.on(streamReceive)
		m.traffic.spent.on(streamSend)
	}
}

// auditedFromZero makes the series of a method or route in audit mode.
func (o *observer) auditedFromZero(name string) {
	if o.cfg.AuditOnly {
		o.audited.WithLabelValues(name, string(ReasonUnauthenticated))
		o.audited.WithLabelValues(name, string(ReasonDenied))
	}
}

// reasonsOf returns the reasons for which calls of a method can be refused.
func (o *observer) reasonsOf(record *contract.Method) []Reason {
	reasons := o.reasonsOfRoute()
	if record.Name == otherMethods {
		return append(reasons, ReasonUnknownMethod, ReasonShutdown)
	}
	reasons = append(reasons, ReasonDenied, ReasonMalformed, ReasonTooLarge, ReasonOverload, ReasonInvalid, ReasonFault, ReasonShutdown)
	if !record.Unary() {
		reasons = append(reasons, ReasonDraining)
	}
	if o.cfg.Audit.Refuses() {
		reasons = append(reasons, ReasonUnaudited)
	}
	return reasons
}

// reasonsOfRoute returns the reasons for which every call and request can be refused.
func (o *observer) reasonsOfRoute() []Reason {
	reasons := []Reason{ReasonDeadline, ReasonUnauthenticated}
	if len(o.cfg.RateLimits) > 0 {
		reasons = append(reasons, ReasonRateLimited)
	}
	return reasons
}

// routeFromZero makes the series of a route.
func (o *observer) routeFromZero(record *contract.Method) {
	reasons := append(o.reasonsOfRoute(), ReasonDenied)
	if o.cfg.Audit.Refuses() {
		reasons = append(reasons, ReasonUnaudited)
	}
	for _, reason := range reasons {
		o.rejected.WithLabelValues(record.Name, string(reason))
	}
	o.auditedFromZero(record.Name)
}

// faultsOf returns the kinds of faults that can be injected into calls of a method.
func faultsOf(record *contract.Method) []string {
	kinds := []string{"delay", "abort", "reset"}
	if !record.Unary() {
		kinds = append(kinds, "partial")
	}
	return kinds
}
