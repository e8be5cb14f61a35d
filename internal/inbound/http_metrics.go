package inbound

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// httpMetrics keeps the handles of the combinations that have occurred. There are few: methods
// and status codes are mapped to known values, and routes are registered patterns.
type httpMetrics struct {
	duration *prometheus.HistogramVec
	requests *prometheus.CounterVec
	mu       sync.RWMutex
	children map[httpLabels]catalog.HistogramChild
}

type httpLabels struct {
	method, route, scheme string
	status                int
}

func newHTTPMetrics(native bool) *httpMetrics {
	return &httpMetrics{
		duration: catalog.HTTPServerRequestDuration.Native(native).HistogramVec(),
		requests: catalog.HTTPRequests.CounterVec(),
		children: map[httpLabels]catalog.HistogramChild{},
	}
}

func (m *httpMetrics) of(method, route, scheme string, status int) catalog.HistogramChild {
	if http.StatusText(status) == "" && status != 499 {
		status = http.StatusInternalServerError
	}
	key := httpLabels{method, route, scheme, status}
	m.mu.RLock()
	child := m.children[key]
	m.mu.RUnlock()
	if child != nil {
		return child
	}
	child = m.duration.WithLabelValues(method, route, strconv.Itoa(status), httpErrorType(status), scheme).(catalog.HistogramChild)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.children[key] = child
	return child
}

// statusClasses are the classes of status codes, by their first digit less one.
var statusClasses = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

// byClass are the counters of a route's requests by class of their status.
type byClass [len(statusClasses)]prometheus.Counter

// ofRoute makes the counters of a route.
func (m *httpMetrics) ofRoute(route string) *byClass {
	counters := new(byClass)
	for class, name := range statusClasses {
		counters[class] = m.requests.WithLabelValues(route, name)
	}
	return counters
}

// count counts a request. A status that has no class counts as a failure of the server.
func (c *byClass) count(status int) {
	class := status/100 - 1
	if class < 0 || class >= len(c) {
		class = len(c) - 1
	}
	c[class].Inc()
}

// httpErrorType returns the value of error_type, in metrics and spans, of an answer to a client:
// the status if the server is at fault, else nothing.
func httpErrorType(status int) string {
	if status < http.StatusInternalServerError {
		return ""
	}
	return strconv.Itoa(status)
}

// scheme returns the scheme by which a request came.
func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
