package middleware

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// httpMetrics keeps the handles of the combinations that have occurred. There are few: methods and status codes are
// mapped to known ones, routes are registered patterns.
type httpMetrics struct {
	duration *prometheus.HistogramVec
	mu       sync.RWMutex
	children map[httpLabels]histogram
}

type httpLabels struct {
	method, route string
	status        int
}

func newHTTPMetrics() *httpMetrics {
	return &httpMetrics{
		duration: catalog.HTTPServerRequestDuration.HistogramVec(),
		children: map[httpLabels]histogram{},
	}
}

func (m *httpMetrics) of(method, route string, status int) histogram {
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
	child = m.duration.WithLabelValues(method, route, strconv.Itoa(status)).(histogram)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.children[key] = child
	return child
}

// methodLabel keeps invented methods out of labels and span names.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	default:
		return "_OTHER"
	}
}
