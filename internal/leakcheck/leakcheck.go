package leakcheck

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// bound is how long a goroutine may take to end after the test has: long enough for a loaded
// machine and the race detector, and only ever spent where there is a leak.
const bound = 5 * time.Second

// Check remembers the goroutines that run now and, once t and the clean-ups registered later are
// done, fails t with the stacks of those that were added and do not end within five seconds. A test
// that has failed already is left alone: what it skipped on its way out would only hide the cause.
func Check(t testing.TB) {
	t.Helper()
	before := Take()
	t.Cleanup(func() {
		t.Helper()
		if t.Failed() {
			return
		}
		if leaked := Find(before); len(leaked) > 0 {
			t.Errorf("%d goroutines were started and have not ended %v after the test:\n\n%s",
				len(leaked), bound, strings.Join(leaked, "\n\n"))
		}
	})
}

// Find returns the stacks of the goroutines that run now and did not when before was taken, in
// order of their ids, and nil where there are none. It gives them up to five seconds to end.
// Goroutines of the testing package, of os/signal and of the runtime's tracer are not counted; idle
// connections of http.DefaultTransport are closed first.
func Find(before Snapshot) []string {
	deadline := time.Now().Add(bound)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		http.DefaultClient.CloseIdleConnections()
		leaked := before.added()
		if len(leaked) == 0 || !time.Now().Before(deadline) {
			return leaked
		}
		time.Sleep(pause)
	}
}
