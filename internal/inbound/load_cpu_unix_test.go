//go:build unix

package inbound_test

import (
	"testing"

	"github.com/betmakers/paddock/internal/inbound"
)

// Work moves the counter, or the test runs out of time.
func TestProcessCPU(t *testing.T) {
	began, rounds := inbound.ProcessCPU(), 0
	for inbound.ProcessCPU() <= began {
		rounds++
	}
	t.Logf("%s at first, more after %d rounds", began, rounds)
}
