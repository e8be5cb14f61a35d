package telemetry_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/telemetry"
)

// scrape returns what /metrics says, as OpenMetrics.
func scrape(t testing.TB, tel *telemetry.Telemetry) string {
	t.Helper()
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	tel.MetricsHandler().ServeHTTP(rec, req)
	if rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/openmetrics-text") {
		t.Fatalf("status %d, %s", rec.Code, rec.Header().Get("Content-Type"))
	}
	return rec.Body.String()
}

// sample returns the value of one series.
func sample(t testing.TB, tel *telemetry.Telemetry, series string) float64 {
	t.Helper()
	for line := range strings.Lines(scrape(t, tel)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	t.Fatalf("no series %s", series)
	return 0
}

func TestMetricsOfTheStart(t *testing.T) {
	tel := start(t, telemetry.Config{Service: "wallet", Version: "1.2.3"})
	text := scrape(t, tel)
	for _, want := range []string{
		`chassis_build_info{chassis_version="`, `service_name="wallet"`, `version="1.2.3"`,
		"chassis_start_timestamp_seconds ", "go_goroutines ", "process_cpu_seconds_total ",
		`chassis_log_lines_dropped_total{sink="stdout"} 0`, `chassis_spans_dropped_total{reason="queue_full"} 0`,
		`chassis_spans_dropped_total{reason="export_failed"} 0`, "chassis_spans_exported_total 0", "# EOF",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestExemplarsAreExposed(t *testing.T) {
	tel := start(t, telemetry.Config{})
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h_seconds", Buckets: []float64{1}})
	tel.Registry().MustRegister(h)
	h.(prometheus.ExemplarObserver).ObserveWithExemplar(.5, prometheus.Labels{"trace_id": "4bf1"})
	if text := scrape(t, tel); !strings.Contains(text, `h_seconds_bucket{le="1.0"} 1 # {trace_id="4bf1"} 0.5`) {
		t.Error("no exemplar in /metrics")
	}
}

func TestMetersOfLibrariesAreBridged(t *testing.T) {
	tel := start(t, telemetry.Config{Service: "wallet"})
	counter, err := tel.MeterProvider().Meter("library").Int64Counter("library.requests")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3)
	text := scrape(t, tel)
	for _, want := range []string{"\nlibrary_requests_total{otel_scope_name=\"library\"", "target_info{service_name=\"wallet\""} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestMetricsAreCompressedOnRequest(t *testing.T) {
	tel := start(t, telemetry.Config{})
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept-Encoding", "gzip")
	tel.MetricsHandler().ServeHTTP(rec, req)
	z, err := gzip.NewReader(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || !strings.Contains(string(text), "go_goroutines") {
		t.Errorf("decompressed: %d bytes, %v", len(text), err)
	}
}

type broken struct {
	collect func(chan<- prometheus.Metric)
}

func (broken) Describe(chan<- *prometheus.Desc)      {}
func (b broken) Collect(ch chan<- prometheus.Metric) { b.collect(ch) }

func TestABrokenCollectorHidesNoOther(t *testing.T) {
	desc := prometheus.NewDesc("broken", "Broken.", nil, nil)
	for name, collect := range map[string]func(chan<- prometheus.Metric){
		"error": func(ch chan<- prometheus.Metric) {
			ch <- prometheus.NewInvalidMetric(desc, errors.New("collector is broken"))
		},
		"panic": func(chan<- prometheus.Metric) { panic("collector is broken") },
	} {
		t.Run(name, func(t *testing.T) {
			out := &buffer{}
			tel := start(t, telemetry.Config{Output: out})
			tel.Registry().MustRegister(broken{collect})
			if !strings.Contains(scrape(t, tel), "go_goroutines") {
				t.Error("the other metrics are gone")
			}
			flush(t, tel)
			if !strings.Contains(out.String(), "collector is broken") {
				t.Errorf("the log does not tell: %s", out)
			}
		})
	}
}

func TestMetricsStayAfterShutdown(t *testing.T) {
	tel := start(t, telemetry.Config{})
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(scrape(t, tel), "chassis_build_info") {
		t.Error("a drain could not be watched: /metrics is empty after Shutdown")
	}
}

func TestServicesOfOneProcessShareNothing(t *testing.T) {
	one, two := start(t, telemetry.Config{Service: "one"}), start(t, telemetry.Config{Service: "two"})
	if strings.Contains(scrape(t, one), `service_name="two"`) || !strings.Contains(scrape(t, two), `service_name="two"`) {
		t.Error("the services see each other's metrics")
	}
}

// In OpenMetrics a counter x_total and a gauge x are one family of two types, which makes the
// answer malformed for its reference parser. Both names and values stay.
func TestFamiliesOfOpenMetricsAreDistinct(t *testing.T) {
	tel := start(t, telemetry.Config{})
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jobs_total", Help: "Jobs."}, []string{"kind"})
	counter.WithLabelValues("a").Add(3)
	tel.Registry().MustRegister(counter,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "jobs"}, func() float64 { return 2 }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "alone_total"}, func() float64 { return 1 }))
	text := scrape(t, tel)
	types := map[string]string{}
	for line := range strings.Lines(text) {
		if name, kind, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# TYPE "), " "); ok && strings.HasPrefix(line, "# TYPE ") {
			if other, twice := types[name]; twice {
				t.Errorf("%s is a %s and a %s", name, other, kind)
			}
			types[name] = kind
		}
	}
	for name, want := range map[string]string{
		"jobs": "gauge", "jobs_total": "unknown", "alone": "counter",
		"go_memstats_alloc_bytes": "gauge", "go_memstats_alloc_bytes_total": "unknown", "go_memstats_frees": "counter",
	} {
		if types[name] != want {
			t.Errorf("%s is of type %q, want %s", name, types[name], want)
		}
	}
	if !strings.Contains(text, "\njobs_total{kind=\"a\"} 3.0\n") || !strings.Contains(text, "\njobs 2.0\n") {
		t.Errorf("values are missing:\n%s", text)
	}
}
