package contract

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// declaration is one policy and its place.
type declaration struct {
	policy *paddockv1.Policy
	place  string // "file.proto: package.Service.Method"
	option string // "(paddock.v1.method)"; empty for an override
}

// defaultAttempts is the largest number of attempts at a repeatable call.
const defaultAttempts = 3

// wrong returns an error about a field of the declaration.
func (d declaration) wrong(field, format string, args ...any) error {
	option := field
	if d.option != "" {
		option = "option " + d.option + "." + field
	}
	return fmt.Errorf("%s: %s %s", d.place, option, fmt.Sprintf(format, args...))
}

// apply sets the declared fields of m, and returns mistakes in them.
func (d declaration) apply(m *Method) (errs []error) {
	p := d.policy
	if p.GetTimeout() != nil {
		timeout := p.GetTimeout().AsDuration()
		errs = append(errs, d.duration("timeout", p.GetTimeout())...)
		if m.Unary() || d.aboutOne() {
			m.Timeout, m.OwnTimeout = timeout, true
		}
	}
	errs = append(errs, d.applyCallers(m)...)
	switch p.GetCriticality() {
	case paddockv1.Criticality_CRITICALITY_UNSPECIFIED:
	case paddockv1.Criticality_CRITICALITY_SHEDDABLE:
		m.Criticality = Sheddable
	case paddockv1.Criticality_CRITICALITY_NORMAL:
		m.Criticality = Normal
	case paddockv1.Criticality_CRITICALITY_CRITICAL:
		m.Criticality = Critical
	default:
		errs = append(errs, d.wrong("criticality", "is %d, which this version of Paddock does not know", p.GetCriticality()))
	}
	errs = append(errs, d.applyObjectives(m)...)
	errs = append(errs, d.checkRetry(m)...)
	if p.MaxRequestBytes != nil {
		m.MaxRequest = int(p.GetMaxRequestBytes())
		if m.MaxRequest <= 0 {
			errs = append(errs, d.wrong("max_request_bytes", "is %d; it must be more than zero", m.MaxRequest))
		}
	}
	return errs
}

// aboutOne reports whether the declaration is for one method, and not for all of a service.
// Fields for unary methods are an error in the declaration of a stream, while the declaration of
// a service applies them only to its unary methods.
func (d declaration) aboutOne() bool { return d.option != "(paddock.v1.service)" }

// applyCallers replaces the callers. callers and public exclude each other, and the declaration
// of the method takes precedence.
func (d declaration) applyCallers(m *Method) (errs []error) {
	p := d.policy
	if p.GetPublic() && len(p.GetCallers()) > 0 {
		errs = append(errs, d.wrong("public", "is set beside callers, but a public method accepts every caller: remove one of them"))
	}
	if p.Public != nil {
		m.Public = p.GetPublic()
		if m.Public {
			m.Callers = nil
		}
	}
	if len(p.GetCallers()) == 0 {
		return errs
	}
	m.Public, m.Callers = false, nil
	for _, text := range p.GetCallers() {
		pattern, err := ParsePattern(text)
		if err != nil {
			errs = append(errs, d.wrong("callers", "has %q: %s", text, err))
			continue
		}
		m.Callers = append(m.Callers, pattern)
	}
	return errs
}

func (d declaration) applyObjectives(m *Method) (errs []error) {
	slo := d.policy.GetSlo()
	if slo == nil {
		return nil
	}
	if slo.Availability != nil {
		if errs = append(errs, d.percent("slo.availability", slo.GetAvailability())...); len(errs) == 0 {
			m.Objectives.Availability = slo.GetAvailability()
		}
	}
	latency := slo.GetLatency()
	switch {
	case latency == nil:
		return errs
	case !m.Unary() && d.aboutOne():
		return append(errs, d.wrong("slo.latency", "is for unary methods, and this one is a %s", m.Kind()))
	}
	errs = append(errs, d.duration("slo.latency.within", latency.GetWithin())...)
	errs = append(errs, d.percent("slo.latency.ratio", latency.GetRatio())...)
	if m.Unary() {
		m.Objectives.Within, m.Objectives.Latency = latency.GetWithin().AsDuration(), latency.GetRatio()
	}
	return errs
}

// duration takes nil as zero.
func (d declaration) duration(field string, value *durationpb.Duration) []error {
	if value == nil {
		value = &durationpb.Duration{}
	}
	if err := value.CheckValid(); err != nil {
		return []error{d.wrong(field, "is not a duration: seconds and nanos must be in range and have the same sign, but are %d and %d", value.GetSeconds(), value.GetNanos())}
	}
	if value.AsDuration() <= 0 {
		return []error{d.wrong(field, "is %s; it must be more than zero", value.AsDuration())}
	}
	return nil
}

func (d declaration) percent(field string, value float64) []error {
	if value > 0 && value < 100 {
		return nil
	}
	return []error{d.wrong(field, "is %v; it is a percentage and must be more than 0 and less than 100", value)}
}

func (d declaration) checkRetry(m *Method) (errs []error) {
	retry := d.policy.GetRetry()
	if retry == nil {
		return nil
	}
	if !m.Unary() && d.aboutOne() {
		return []error{d.wrong("retry", "is for unary methods, and this one is a %s", m.Kind())}
	}
	attempts := retry.GetMaxAttempts()
	if attempts != 0 && (attempts < 2 || attempts > 5) {
		errs = append(errs, d.wrong("retry.max_attempts", "is %d; it must be between 2 and 5", attempts))
	}
	if attempts != 0 && retry.Safe != nil && !retry.GetSafe() {
		errs = append(errs, d.wrong("retry.max_attempts", "is set beside safe: false, which forbids retries: remove one of them"))
	}
	if retry.GetHedgeAfter() != nil {
		errs = append(errs, d.duration("retry.hedge_after", retry.GetHedgeAfter())...)
	}
	return errs
}

// applyRetries joins what the declarations say: how often from one, whether from another. safe is
// what the method says by idempotency_level, which holds where no declaration says whether.
func (m *Method) applyRetries(declared []declaration, safe bool) {
	if !m.Unary() {
		return
	}
	attempts, forbidden := defaultAttempts, false
	for _, d := range declared {
		retry := d.policy.GetRetry()
		if n := retry.GetMaxAttempts(); n != 0 {
			attempts = int(n)
		}
		if retry != nil && retry.Safe != nil {
			safe, forbidden = retry.GetSafe(), !retry.GetSafe()
		}
	}
	switch {
	case safe:
		m.Repeatable, m.MaxAttempts = true, attempts
	case forbidden:
		m.MaxAttempts = 1
	}
}

// applyHedge sets when a call is sent a second time, and finds what is wrong with that: it is known
// last whether a method may be repeated. What a service says is for those of its methods that may.
func (m *Method) applyHedge(declared []declaration) []error {
	for _, d := range slices.Backward(declared) {
		hedge := d.policy.GetRetry().GetHedgeAfter()
		if hedge == nil {
			continue
		}
		after := hedge.AsDuration()
		switch {
		case after <= 0 || hedge.CheckValid() != nil || !m.Unary(): // told already
		case m.Repeatable && after >= m.Timeout && slices.ContainsFunc(declared, setsTimeout) && !m.Overridden:
			return []error{d.wrong("retry.hedge_after", "is %s, not less than the timeout of %s: no call waits that long", after, m.Timeout)}
		case m.Repeatable:
			m.HedgeAfter = after
		case d.aboutOne():
			return []error{d.wrong("retry.hedge_after", "is for methods that may be repeated: set idempotency_level, or retry.safe to true")}
		}
		return nil
	}
	return nil
}

func setsTimeout(d declaration) bool { return d.policy.GetTimeout() != nil }

// checkWhole finds what is wrong with the declarations together. It tells of the method, whichever
// of them is about the service, because others of the service may be right.
func checkWhole(m *Method, declared []declaration) []error {
	o := m.Objectives
	if m.Timeout <= 0 || o.Within <= m.Timeout {
		return nil
	}
	if !slices.ContainsFunc(declared, setsTimeout) {
		return nil // the timeout is the operator's, of all methods
	}
	if last := declared[len(declared)-1]; m.Overridden && setsTimeout(last) && last.policy.GetSlo().GetLatency() == nil {
		return nil // an operator's for this one: in an emergency a tight deadline comes before a promise
	}
	for _, d := range slices.Backward(declared) {
		if d.policy.GetSlo().GetLatency() == nil {
			continue
		}
		if !d.aboutOne() {
			d.place += "." + m.Name[strings.LastIndexByte(m.Name, '/')+1:]
		}
		return []error{d.wrong("slo.latency.within", "is %s, longer than the timeout of %s: calls cannot be that slow", o.Within, m.Timeout)}
	}
	return nil
}

// Describe says in words who may call m, for people.
func (m *Method) Describe() string {
	switch {
	case m.Public:
		return "anybody"
	case len(m.Callers) == 0:
		return "any service of the own trust domain"
	}
	names := make([]string, len(m.Callers))
	for i, p := range m.Callers {
		names[i] = p.String()
	}
	return strings.Join(names, ", ")
}
