package telemetry

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"

	"github.com/betmakers/paddock/internal/build"
	"github.com/betmakers/paddock/internal/catalog"
)

const (
	seriesPerInstrument = 2000 // of a bridged OpenTelemetry instrument
	scrapesAtOnce       = 8
	scrapeTimeout       = 10 * time.Second
)

// metrics are the registry and what feeds it.
type metrics struct {
	registry *prometheus.Registry
	guard    *guard
	meters   *sdkmetric.MeterProvider
}

// startMetrics makes the registry, with the facts of the start, and the bridge for OpenTelemetry
// meters. The meter provider reads at scrape time and runs no goroutine, so it need not be
// stopped.
func startMetrics(cfg Config, resource *sdkresource.Resource) (m metrics, err error) {
	m.registry = prometheus.NewRegistry()
	if err := errors.Join(
		m.registry.Register(collectors.NewGoCollector()),
		m.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		registerBuild(m.registry, cfg, build.Read()),
	); err != nil {
		return m, fmt.Errorf("cannot register metrics: %w", err)
	}
	if m.guard, err = newGuard(m.registry); err != nil {
		return m, fmt.Errorf("cannot register metrics: %w", err)
	}
	bridge, err := otelprometheus.New(otelprometheus.WithRegisterer(m.guard))
	if err != nil {
		return m, fmt.Errorf("cannot bridge OpenTelemetry metrics: %w", err)
	}
	m.meters = sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(resource), sdkmetric.WithReader(bridge), sdkmetric.WithCardinalityLimit(seriesPerInstrument))
	return m, nil
}

func registerBuild(reg prometheus.Registerer, cfg Config, b build.Info) error {
	info := catalog.BuildInfo.GaugeVec()
	info.WithLabelValues(cfg.Service, cfg.Version, b.Revision, b.Chassis, b.GoVersion).Set(1)
	started := catalog.StartTimestamp.GaugeVec()
	started.WithLabelValues().Set(unixSeconds(time.Now()))
	committed := catalog.BuildCommitTimestamp.GaugeVec()
	if !b.Committed.IsZero() {
		committed.WithLabelValues().Set(unixSeconds(b.Committed))
	}
	return errors.Join(reg.Register(info), reg.Register(started), reg.Register(committed))
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func metricsHandler(g *guard) http.Handler {
	return promhttp.HandlerFor(distinctFor(g.Gather), promhttp.HandlerOpts{
		ErrorLog:            scrapeErrors{g},
		ErrorHandling:       promhttp.ContinueOnError, // one broken collector does not hide the others
		EnableOpenMetrics:   true,
		OfferedCompressions: []promhttp.Compression{promhttp.Gzip, promhttp.Identity},
		CoalesceGather:      true,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTimeout,
	})
}

// scrapeErrors logs the errors of promhttp, at most once a minute, because invalid series recur
// at each scrape.
type scrapeErrors struct{ *guard }

func (s scrapeErrors) Println(v ...any) {
	s.failures.WithLabelValues(failedInvalid).Inc()
	if s.complaints.due() {
		s.log.Error("metrics not complete", "error", clip(fmt.Sprint(v...)))
	}
}
