package acceptance_test

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP collector that remembers what it is sent.
type collector struct {
	url string

	mu      sync.Mutex
	spans   map[string][]*tracepb.Span // by trace id
	records map[string]int             // log records by trace id
}

func newCollector(t testing.TB) *collector {
	t.Helper()
	c := &collector{spans: map[string][]*tracepb.Span{}, records: map[string]int{}}
	mux := http.NewServeMux()
	// The requests of the two services have the encoding of the data alone.
	mux.HandleFunc("POST /v1/traces", take(func(d *tracepb.TracesData) { c.takeSpans(d) }))
	mux.HandleFunc("POST /v1/logs", take(func(d *logspb.LogsData) { c.takeLogs(d) }))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// env has a service send everything here.
func (c *collector) env() string { return "OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url }

func take[D any, M interface {
	*D
	proto.Message
}](keep func(M)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			body = unzipped
		}
		all, err := io.ReadAll(body)
		data := M(new(D))
		if err == nil {
			err = proto.Unmarshal(all, data)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		keep(data)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}
}

func (c *collector) takeSpans(data *tracepb.TracesData) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range data.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				id := hex.EncodeToString(span.GetTraceId())
				c.spans[id] = append(c.spans[id], span)
			}
		}
	}
}

func (c *collector) takeLogs(data *logspb.LogsData) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range data.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				c.records[hex.EncodeToString(record.GetTraceId())]++
			}
		}
	}
}

// trace returns the spans of a trace.
func (c *collector) trace(id string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*tracepb.Span(nil), c.spans[id]...)
}

// logged returns the number of log records of a trace.
func (c *collector) logged(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records[id]
}

// blackHole returns the address of a collector that accepts connections and never says a word.
func blackHole(t testing.TB) string {
	t.Helper()
	listener := listen(t)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }() // until the other side has had enough
		}
	}()
	return "http://" + listener.Addr().String()
}

// nobody returns the address of a collector that is gone.
func nobody(t testing.TB) string {
	t.Helper()
	listener := listen(t)
	_ = listener.Close()
	return "http://" + listener.Addr().String()
}

// listen opens a port of its own.
func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}
