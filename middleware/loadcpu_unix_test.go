//go:build unix

package middleware_test

import (
	"testing"

	"github.com/betmakers/paddock/middleware"
)

// Work moves the counter, or the test runs out of time.
func TestProcessCPU(t *testing.T) {
	began, rounds := middleware.ProcessCPU(), 0
	for middleware.ProcessCPU() <= began {
		rounds++
	}
	t.Logf("%s at first, more after %d rounds", began, rounds)
}
