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
	method, route string
	status        int
}

func newHTTPMetrics() *httpMetrics {
	return &httpMetrics{
		duration: catalog.HTTPServerRequestDuration.HistogramVec(),
		children: map[httpLabels]catalog.HistogramChild{},
	}
}

func (m *httpMetrics) of(method, route string, status int) catalog.HistogramChild {
	if http.StatusText(status) == "" && status != 499 {
		status = http.StatusInternalServerError
	}
	key := httpLabels{method, route, status}
	m.mu.RLock()
	child := m.children[key]
	m.mu.RUnlock()
	if child != nil {
		return child
	}
	child = m.duration.WithLabelValues(method, route, strconv.Itoa(status)).(catalog.HistogramChild)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.children[key] = child
	return child
}
