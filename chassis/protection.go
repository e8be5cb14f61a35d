package chassis

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/fault"
)

// protection is a defence that a setting can switch off.
type protection struct {
	name    string // the label of chassis_protection_off
	off     bool
	setting string // what has switched it off
	means   string // for people
}

// faultsLabel is the label for the absence of injected faults. No single setting switches it.
const faultsLabel = "faults"

// protections is the list of all of them.
type protections []protection

// protectionsOf returns the protections and whether the settings switch them off.
func protectionsOf(c *configuration, around *surroundings) protections {
	mtls := c.source(around.getenv("SPIFFE_ENDPOINT_SOCKET")) != mtlsOff || around.Source != nil
	return protections{
		{"authorization", c.Authorization == authorizationAudit, "CHASSIS_AUTHORIZATION=audit",
			"authorization is off: callers that a method does not list are let in, and only logged"},
		{"admission", c.Admission != admissionOn, "CHASSIS_ADMISSION=" + c.Admission,
			"admission is off: no call is held back or refused in an overload"},
		{"mtls", !mtls, "CHASSIS_MTLS=off", "mutual TLS is off: calls are neither encrypted nor authenticated"},
		{"rest_tls", !mtls || !c.HTTPTLS && (!c.development() || !onLoopback(c.HTTPAddr)), restTLSSetting(mtls),
			"REST is served without TLS: requests are neither encrypted nor, by certificate, authenticated"},
		{"production", c.development() && c.reachable() != "", "CHASSIS_ENVIRONMENT=development",
			"development settings on an address that other machines can reach: every client can read the API description, and REST has no TLS unless CHASSIS_HTTP_TLS is set"},
	}
}

// restTLSSetting returns the setting that switched off TLS on the REST port. Without certificates
// CHASSIS_HTTP_TLS has no effect.
func restTLSSetting(mtls bool) string {
	if !mtls {
		return "CHASSIS_MTLS=off"
	}
	return "CHASSIS_HTTP_TLS=false"
}

// warn logs each protection that is off. Faults are logged when they are set.
func (all protections) warn(log *slog.Logger) {
	for _, p := range all {
		if p.off {
			log.Warn(p.means, "protection", p.name, "setting", p.setting)
		}
	}
}

// off returns the protections that are off, for the debug page.
func (all protections) off() (off []string) {
	for _, p := range all {
		if p.off {
			off = append(off, p.means+" ("+p.setting+")")
		}
	}
	return off
}

// protectionCollector reads the protections at each scrape, because faults come and go.
type protectionCollector struct {
	faults   *fault.Set
	settings protections
	off      *prometheus.Desc
}

func newProtectionCollector(all protections, faults *fault.Set) protectionCollector {
	return protectionCollector{faults: faults, settings: all, off: catalog.ProtectionOff.Desc()}
}

func (c protectionCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.off }

func (c protectionCollector) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.settings {
		ch <- prometheus.MustNewConstMetric(c.off, prometheus.GaugeValue, one(p.off), p.name)
	}
	ch <- prometheus.MustNewConstMetric(c.off, prometheus.GaugeValue, one(len(c.faults.Active()) > 0), faultsLabel)
}
