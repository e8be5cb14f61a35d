package telemetry

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

const (
	signalTraces = "traces"
	signalLogs   = "logs"
)

// environment reads the OTEL_* settings that this package uses. Values that OpenTelemetry
// requires to be ignored if unknown go to warnings.
type environment struct {
	get      func(string) string
	warnings []string
}

func (e *environment) warn(format string, args ...any) {
	e.warnings = append(e.warnings, fmt.Sprintf(format, args...))
}

func (e *environment) value(name string) string { return strings.TrimSpace(e.get(name)) }

func (e *environment) disabled() bool { return strings.EqualFold(e.value("OTEL_SDK_DISABLED"), "true") }

// exports reports whether a signal is exported: an exporter is chosen or an endpoint set, and
// nothing disables it.
func (e *environment) exports(signal string) bool {
	name := strings.ToUpper(signal)
	switch exporter := e.value("OTEL_" + name + "_EXPORTER"); {
	case e.disabled(), exporter == "none":
		return false
	case exporter != "":
		return true
	}
	return e.value("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || e.value("OTEL_EXPORTER_OTLP_"+name+"_ENDPOINT") != ""
}

// check rejects endpoints that the exporters would silently replace by another one.
func (e *environment) check() error {
	var errs []error
	for _, name := range []string{"", "TRACES_", "LOGS_"} {
		name = "OTEL_EXPORTER_OTLP_" + name + "ENDPOINT"
		endpoint := e.value(name)
		if endpoint == "" || e.disabled() {
			continue
		}
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme == "" || u.Opaque != "" || (u.Host == "" && u.Path == "") {
			errs = append(errs, fmt.Errorf("%s is %q, expected a URL with its scheme, such as http://localhost:4318", name, endpoint))
		}
	}
	return errors.Join(errs...)
}

// positive returns a setting as a number above zero, or fallback.
func (e *environment) positive(name string, fallback int) int {
	if n, err := strconv.Atoi(e.value(name)); err == nil && n > 0 {
		return n
	}
	return fallback
}

// sampler reads OTEL_TRACES_SAMPLER and its argument, with the defaults of the standard.
func (e *environment) sampler() sampler {
	name := strings.ToLower(e.value("OTEL_TRACES_SAMPLER"))
	root, parentBased := strings.CutPrefix(name, "parentbased_")
	switch root {
	case "always_on":
		return sampler{parentBased, everyTrace}
	case "always_off":
		return sampler{parentBased, 0}
	case "traceidratio":
		return sampler{parentBased, ratioBound(e.ratio())}
	}
	if name != "" {
		e.warn("OTEL_TRACES_SAMPLER is %q and ignored, expected always_on, always_off, traceidratio, or one of them after parentbased_", name)
	}
	return sampler{true, everyTrace}
}

func (e *environment) ratio() float64 {
	text := e.value("OTEL_TRACES_SAMPLER_ARG")
	ratio, err := strconv.ParseFloat(text, 64)
	if err == nil && 0 <= ratio && ratio <= 1 {
		return ratio
	}
	if text != "" {
		e.warn("OTEL_TRACES_SAMPLER_ARG is %q and taken as 1, expected a number from 0 to 1", text)
	}
	return 1
}

// propagator reads OTEL_PROPAGATORS, which defaults to tracecontext,baggage.
func (e *environment) propagator() propagation.TextMapPropagator {
	names := e.value("OTEL_PROPAGATORS")
	if names == "" {
		names = "tracecontext,baggage"
	}
	var all []propagation.TextMapPropagator
	seen := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if seen[name] {
			continue
		}
		seen[name] = true
		switch name {
		case "tracecontext":
			all = append(all, propagation.TraceContext{})
		case "baggage":
			all = append(all, propagation.Baggage{})
		case "none", "":
		default:
			e.warn("OTEL_PROPAGATORS names %q, which is ignored, expected tracecontext, baggage or none", name)
		}
	}
	if seen["none"] {
		all = nil
	}
	return propagation.NewCompositeTextMapPropagator(all...)
}
