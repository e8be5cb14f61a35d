package admin

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime/trace"
	"strconv"
	"strings"
	"sync"
	"time"
)

const flightOff = "no flight recorder is running: a process can have one only, " +
	"so of several services in a process at most one has it"

// flight downloads what the flight recorder holds. The recorder writes one
// snapshot at a time and would hold its lock for as long as a slow reader
// reads, so the snapshot is taken into memory first; one download at a time
// bounds that memory to one snapshot.
type flight struct {
	recorder *trace.FlightRecorder
	service  string
	busy     sync.Mutex
}

func (f *flight) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if !flightRunning(f.recorder) {
		http.Error(w, flightOff, http.StatusServiceUnavailable)
		return
	}
	if !f.busy.TryLock() {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "another download of the flight recorder is going on, and one at a time is allowed: try again when it has ended",
			http.StatusConflict)
		return
	}
	defer f.busy.Unlock()
	var snapshot bytes.Buffer
	if _, err := f.recorder.WriteTo(&snapshot); err != nil {
		http.Error(w, "the flight recorder gave no snapshot: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(snapshot.Len()))
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", f.fileName(time.Now())))
	_, _ = snapshot.WriteTo(w) // an error means that the reader has gone
}

func flightRunning(fr *trace.FlightRecorder) bool { return fr != nil && fr.Enabled() }

// fileName is "hello-20261123T151426Z.trace", safe in any file system.
func (f *flight) fileName(now time.Time) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, f.service)
	if safe == "" {
		safe = "flight"
	}
	return safe + "-" + now.UTC().Format("20060102T150405Z") + ".trace"
}
