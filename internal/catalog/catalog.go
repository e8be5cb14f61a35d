// Package catalog lists every metric of the chassis once: name, type, unit, labels, meaning, since
// when and how stable. The code that measures builds its collectors from an entry, and
// documentation, dashboards, alerts and tests read the same entries, so that none of them can drift
// from what is exposed.
//
// A name in this list is API. It is renamed only by emitting the old and the new name together for
// one major version.
package catalog

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Type is a Prometheus metric type.
type Type string

// The types in use.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Stability says what a reader of a metric may rely on.
type Stability string

// Stable names, labels and units do not change within a major version. Experimental ones may.
const (
	Stable       Stability = "stable"
	Experimental Stability = "experimental"
)

// Label is one label of a metric and the bound of its values: what a client sends must never widen
// it.
type Label struct {
	Name string
	// Values tells, for a reader, which values occur and why there are not more of them.
	Values string
}

// Metric is one entry.
type Metric struct {
	Name      string
	Help      string
	Type      Type
	Unit      string // base unit by Prometheus convention: seconds, bytes, ratio; empty for a count
	Labels    []Label
	Buckets   []float64 // of a histogram: upper bounds in Unit
	Since     string
	Stability Stability

	native bool
}

// The limits of a native histogram. Neighbouring buckets differ by a tenth, and one that would get
// more buckets is made coarser or begins anew.
const (
	nativeFactor  = 1.1
	nativeBuckets = 160
	nativeReset   = time.Hour
)

// Native returns m, as a histogram that has native buckets beside its own if on is true. Scrapes
// that ask for Prometheus' protobuf format get both.
func (m Metric) Native(on bool) Metric {
	m.native = on
	return m
}

func (m Metric) labelNames() []string {
	names := make([]string, len(m.Labels))
	for i, l := range m.Labels {
		names[i] = l.Name
	}
	return names
}

// CounterVec returns a new collector for m, with m's labels, not yet registered.
func (m Metric) CounterVec() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.labelNames())
}

// GaugeVec returns a new collector for m, with m's labels, not yet registered.
func (m Metric) GaugeVec() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, m.labelNames())
}

// HistogramVec returns a new collector for m, with m's labels and buckets, not yet registered.
func (m Metric) HistogramVec() *prometheus.HistogramVec {
	opts := prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: m.Buckets}
	if m.native {
		opts.NativeHistogramBucketFactor, opts.NativeHistogramMaxBucketNumber, opts.NativeHistogramMinResetDuration = nativeFactor, nativeBuckets, nativeReset
	}
	return prometheus.NewHistogramVec(opts, m.labelNames())
}

// Desc returns the descriptor of m, for a collector that makes its samples at scrape time.
func (m Metric) Desc() *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.Help, m.labelNames(), nil)
}
