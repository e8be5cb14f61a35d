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
	mu       sync.RWMutex
	children map[httpLabels]catalog.HistogramChild
}

type httpLabels struct {
	method, route, scheme string
	status                int
}

func newHTTPMetrics() *httpMetrics {
	return &httpMetrics{
		duration: catalog.HTTPServerRequestDuration.HistogramVec(),
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
