package allowance_test

import (
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/allowance"
)

func TestLines(t *testing.T) {
	var lines allowance.Lines
	now := time.Now()
	allowed := func(kind string, n int) (lost, ok int) {
		for range n {
			suppressed, may := lines.Allow(kind, now)
			lost += suppressed
			if may {
				ok++
			}
		}
		return lost, ok
	}
	if lost, ok := allowed("scan", 100); ok != allowance.Most || lost != 0 {
		t.Errorf("%d lines of 100, %d told as suppressed", ok, lost)
	}
	if _, ok := allowed("expired", 2); ok != 2 {
		t.Errorf("%d lines of another kind, want both", ok)
	}
	now = now.Add(allowance.Window)
	if lost, ok := allowed("scan", 100); ok != allowance.Most || lost != 100-allowance.Most {
		t.Errorf("%d lines in the next window, and %d told as suppressed", ok, lost)
	}
}
