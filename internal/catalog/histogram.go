package catalog

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// HistogramChild is what a child of a prometheus.HistogramVec implements.
type HistogramChild interface {
	prometheus.Observer
	prometheus.ExemplarObserver
}

// GRPC is the value of rpc_system_name, and of rpc.system.name in spans.
const GRPC = "grpc"

// HTTPMethod keeps invented methods out of labels and span names.
func HTTPMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	default:
		return "_OTHER"
	}
}
