package admin_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime/trace"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/admin"
)

func TestProfilesAnswer(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	if page := call(h, "GET", "/debug/pprof/", "").Body.String(); !strings.Contains(page, "goroutine") {
		t.Errorf("the list of profiles does not name goroutine:\n%s", page)
	}
	if text := call(h, "GET", "/debug/pprof/goroutine?debug=2", "").Body.String(); !strings.Contains(text, "TestProfilesAnswer") {
		t.Error("the goroutine profile does not show this test")
	}
	gzip := []byte{0x1f, 0x8b}
	if heap := call(h, "GET", "/debug/pprof/heap", ""); !bytes.HasPrefix(heap.Body.Bytes(), gzip) {
		t.Errorf("the heap profile is not one: %d %q", heap.Code, heap.Body)
	}
	if symbol := call(h, "POST", "/debug/pprof/symbol", "0x1"); symbol.Code != http.StatusOK {
		t.Errorf("symbol answered %d", symbol.Code)
	}
}

func TestProfilesAreBoundedInTime(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	for _, target := range []string{
		"profile?seconds=121", "profile?seconds=0", "profile?seconds=-1", "profile?seconds=long", "profile?seconds=1&seconds=9999",
		"trace?seconds=31", "trace?seconds=NaN", "trace?seconds=Inf", "heap?seconds=121",
	} {
		w := call(h, "GET", "/debug/pprof/"+target, "")
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "expected a number above 0, at most") {
			t.Errorf("%s answered %d %q, want 400", target, w.Code, w.Body)
		}
	}
}

func TestCommandLineIsNotShown(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	w := call(h, "GET", "/debug/pprof/cmdline", "")
	if w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), os.Args[0]) {
		t.Errorf("answered %d %q", w.Code, w.Body)
	}
}

func TestFlightRecordingIsATrace(t *testing.T) {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	if err := recorder.Start(); err != nil {
		t.Fatal(err)
	}
	defer recorder.Stop()
	h := admin.New(admin.Config{Service: "wal/let", FlightRecorder: recorder})
	defer h.Close()

	w := call(h, "GET", "/debug/flight", "")
	if w.Code != http.StatusOK || !regexp.MustCompile("^go 1\\.[0-9]+ trace\x00").Match(w.Body.Bytes()) {
		t.Fatalf("answered %d and begins %.20q", w.Code, w.Body)
	}
	name := w.Header().Get("Content-Disposition")
	if !regexp.MustCompile(`^attachment; filename="wal-let-\d{8}T\d{6}Z\.trace"$`).MatchString(name) {
		t.Errorf("named %s", name)
	}
	if page := call(h, "GET", "/debug/", "").Body.String(); !strings.Contains(page, `href="/debug/flight"`) {
		t.Error("the page does not offer it")
	}
}

// A second download while one is going on is refused, and works afterwards.
func TestFlightRecordingIsOneAtATime(t *testing.T) {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	if err := recorder.Start(); err != nil {
		t.Fatal(err)
	}
	defer recorder.Stop()
	h := admin.New(admin.Config{FlightRecorder: recorder})
	defer h.Close()

	slow := &stalledWriter{ResponseRecorder: httptest.NewRecorder(), reached: make(chan struct{}), release: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := httptest.NewRequest("GET", "/debug/flight", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost"
		h.ServeHTTP(slow, r)
	}()
	<-slow.reached
	if w := call(h, "GET", "/debug/flight", ""); w.Code != http.StatusConflict || w.Header().Get("Retry-After") == "" {
		t.Errorf("the second download answered %d %q, want 409", w.Code, w.Body)
	}
	close(slow.release)
	<-done
	if w := call(h, "GET", "/debug/flight", ""); w.Code != http.StatusOK {
		t.Errorf("a download afterwards answered %d %q", w.Code, w.Body)
	}
}

// stalledWriter is a reader of the answer that has stopped reading.
type stalledWriter struct {
	*httptest.ResponseRecorder
	reached, release chan struct{}
}

func (w *stalledWriter) Write(p []byte) (int, error) {
	close(w.reached)
	<-w.release
	return w.ResponseRecorder.Write(p)
}

func TestFlightRecorderThatDoesNotRun(t *testing.T) {
	for name, recorder := range map[string]*trace.FlightRecorder{
		"none": nil, "not started": trace.NewFlightRecorder(trace.FlightRecorderConfig{}),
	} {
		t.Run(name, func(t *testing.T) {
			h := admin.New(admin.Config{FlightRecorder: recorder})
			defer h.Close()
			w := call(h, "GET", "/debug/flight", "")
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "no flight recorder is running") {
				t.Errorf("answered %d %q", w.Code, w.Body)
			}
		})
	}
}
