package outbound

import (
	"errors"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/bounded"
	"github.com/betmakers/paddock/internal/catalog"
)

// httpClientMetrics are the metrics of requests to one dependency. It keeps the handles of the
// combinations that have occurred. There are few, because methods, status codes and kinds of
// errors are mapped to known values.
type httpClientMetrics struct {
	peer     string
	duration *prometheus.HistogramVec
	retries  *prometheus.CounterVec
	withheld prometheus.Counter
	bounded  *bounded.Resources
	mu       sync.RWMutex
	children map[httpClientLabels]catalog.HistogramChild
}

type httpClientLabels struct {
	method, failed string
	status         int
}

func newHTTPClientMetrics(peer string, native bool, registerer prometheus.Registerer) (*httpClientMetrics, error) {
	duration, retries, withheld := catalog.HTTPClientRequestDuration.Native(native).HistogramVec(), catalog.HTTPClientRetries.CounterVec(), catalog.HTTPClientRetriesWithheld.CounterVec()
	resources, err := bounded.Of(registerer)
	err = errors.Join(err, catalog.Register(registerer, &duration), catalog.Register(registerer, &retries), catalog.Register(registerer, &withheld))
	for _, reason := range []retryReason{connectionFailed, "429", "502", "503", "504"} {
		retries.WithLabelValues(peer, string(reason))
	}
	return &httpClientMetrics{
		peer: peer, duration: duration, retries: retries, withheld: withheld.WithLabelValues(peer), bounded: resources,
		children: map[httpClientLabels]catalog.HistogramChild{},
	}, err
}

// of returns the catalog.HistogramChild of an outcome. Status 0 means no answer.
func (m *httpClientMetrics) of(method string, status int, failed string) catalog.HistogramChild {
	key := httpClientLabels{method, failed, status}
	m.mu.RLock()
	child := m.children[key]
	m.mu.RUnlock()
	if child != nil {
		return child
	}
	code := ""
	if status != 0 {
		code = strconv.Itoa(status)
	}
	child = m.duration.WithLabelValues(method, m.peer, code, failed).(catalog.HistogramChild)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.children[key] = child
	return child
}

func (m *httpClientMetrics) retried(reason retryReason) {
	m.retries.WithLabelValues(m.peer, string(reason)).Inc()
}

// retryReason is the reason for which a failed attempt may be retried, as in metrics, empty for
// none.
type retryReason string

const connectionFailed retryReason = "connection"
