package chassistest

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"slices"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/betmakers/paddock/chassis"
)

// Logs returns the lines that the service has logged so far, oldest first, as in its JSON log:
// `msg`, `level`, `time`, and the attributes at the top level. With messages, it returns only
// lines with one of these messages; the line of a call has the message "call". Numbers are
// float64, as in encoding/json.
func (r *Running) Logs(messages ...string) []map[string]any {
	r.t.Helper()
	lines, err := r.seen.logged()
	if err != nil {
		r.t.Fatalf("chassistest: cannot read the log: %v", err)
	}
	return slices.DeleteFunc(lines, func(line map[string]any) bool {
		message, _ := line["msg"].(string)
		return len(messages) > 0 && !slices.Contains(messages, message)
	})
}

// Spans returns the spans that have ended so far, in the order in which they ended.
func (r *Running) Spans() []sdktrace.ReadOnlySpan { return r.seen.spans.Ended() }

// Events returns the steps that the service has taken so far.
func (r *Running) Events() []chassis.Event { return r.seen.taken() }

// Metric returns the sum of a metric's series that have the given labels, as alternating names
// and values. It adds the values of gauges and counters, and the numbers of observations of
// histograms and summaries. It returns 0 if there is no such series.
//
//	svc.Metric("rpc_server_call_duration_seconds", "rpc_status_code", "OK")
func (r *Running) Metric(name string, labels ...string) float64 {
	r.t.Helper()
	sum, err := r.seen.metric(name, labels)
	if err != nil {
		r.t.Fatalf("chassistest: metric %s: %v", name, err)
	}
	return sum
}

// ContractIn compares file with the contract of the service as Markdown and fails the test if
// they differ. The contract lists each method with its deadline, callers, objectives and REST
// routes. With PADDOCK_UPDATE=1 in the environment it writes file instead. Use it to keep a
// service's docs folder equal to its proto files.
func (r *Running) ContractIn(file string) {
	r.t.Helper()
	now, err := r.contract()
	if err != nil {
		r.t.Errorf("chassistest: cannot read the contract: %v", err)
		return
	}
	if os.Getenv("PADDOCK_UPDATE") == "1" {
		if err := os.WriteFile(file, now, 0o644); err != nil { //nolint:gosec // documentation is public
			r.t.Errorf("chassistest: cannot write the contract: %v", err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(have, now) {
		r.t.Errorf("chassistest: %s is not the contract of the service: run the test with PADDOCK_UPDATE=1 and commit what it writes (%v)", file, err)
	}
}

func (r *Running) contract() ([]byte, error) {
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://admin/debug/contract.md", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := r.HTTP().Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body)
}
