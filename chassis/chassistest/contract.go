package chassistest

import (
	"bytes"
	"io"
	"net/http"
	"os"
)

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
