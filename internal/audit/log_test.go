package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/catalog"
)

// sink is what records are written to. It may hang, and it may fail, also within a line.
type sink struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	hang    chan struct{} // writes wait until it is closed; nil for no wait
	err     error
	partial int // bytes taken of a write that fails
	writes  int
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.err != nil {
		n, _ := s.buf.Write(p[:min(s.partial, len(p))])
		return n, s.err
	}
	return s.buf.Write(p)
}

func (s *sink) set(change func(*sink)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// lines returns the whole lines of JSON; others fail the test unless they are torn ones.
func linesOf(t *testing.T, text string) (records []map[string]any, torn int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			torn++
			continue
		}
		if record["log"] != "audit" || !strings.HasPrefix(line, `{"log":"audit","service":"hello","instance":"pod-1","number":`) {
			t.Errorf("a line begins otherwise: %.200s", line)
		}
		records = append(records, record)
	}
	return records, torn
}

func only(records []map[string]any, event string) (some []map[string]any) {
	for _, r := range records {
		if r["event"] == event {
			some = append(some, r)
		}
	}
	return some
}

type opened struct {
	*audit.Log
	sink     *sink
	registry *prometheus.Registry
	logged   *bytes.Buffer // read it in a bubble, when nothing runs
}

func open(t *testing.T, refuse bool) *opened {
	t.Helper()
	o := &opened{sink: &sink{}, registry: prometheus.NewPedanticRegistry(), logged: &bytes.Buffer{}}
	log, err := audit.Open(audit.Config{
		Policy: audit.All, Refuse: refuse, Sink: o.sink, Service: "hello", Instance: "pod-1",
		Logger: slog.New(slog.NewJSONHandler(o.logged, nil)), Registerer: o.registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Log = log
	return o
}

func (o *opened) close(t *testing.T) {
	t.Helper()
	if err := o.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func (o *opened) count(t *testing.T, result string) float64 {
	t.Helper()
	records := catalog.AuditRecords.CounterVec()
	if err := catalog.Register(o.registry, &records); err != nil {
		t.Fatal(err)
	}
	return testutil.ToFloat64(records.WithLabelValues(result))
}

func call(n int) *audit.Record {
	return &audit.Record{Event: audit.End, Time: time.Now(), Protocol: "grpc", Method: fmt.Sprintf("a.B/M%d", n), Decision: audit.Allow, Code: "OK"}
}

// bubble runs test with a clock of its own.
func bubble(t *testing.T, test func(*testing.T)) { synctest.Test(t, test) }

func TestEachRecordOnceAndInOrder(t *testing.T) {
	o := open(t, false)
	for _, result := range []string{"dropped"} {
		if got := o.count(t, result); got != 0 {
			t.Errorf("%s is %v at the start, want a series of 0", result, got)
		}
	}
	const writers, each = 8, 100
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for n := range each {
				o.Write(call(n))
			}
		})
	}
	all.Wait()
	o.close(t)
	records, torn := linesOf(t, o.sink.String())
	if want := writers*each + 2; len(records) != want || torn > 0 {
		t.Fatalf("%d records and %d torn lines, want %d: those of the calls, the first and the last", len(records), torn, want)
	}
	for n, r := range records {
		if r["number"] != float64(n+1) {
			t.Fatalf("record %d has the number %v", n+1, r["number"])
		}
	}
	if records[0]["event"] != "opened" || records[len(records)-1]["event"] != "closed" {
		t.Errorf("begins with %v and ends with %v", records[0], records[len(records)-1])
	}
	if got := o.count(t, "written"); got != float64(len(records)) {
		t.Errorf("%v counted as written, want %d", got, len(records))
	}
	o.Write(call(0))
	if got := o.count(t, "dropped"); got != 1 {
		t.Errorf("%v counted as dropped after the end, want 1", got)
	}
}

// A sink that hangs costs no caller time, bounded bytes, and records that are counted and told of.
func TestASinkThatHangsDropsAndCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := open(t, false)
		synctest.Wait()
		hang := make(chan struct{})
		o.sink.set(func(s *sink) { s.hang = hang })
		begun := time.Now()
		const calls = 20_000
		for n := range calls {
			o.Write(call(n))
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("callers waited %v", took)
		}
		lost := o.count(t, "dropped")
		if lost < 1 || o.Err() == nil {
			t.Errorf("%v counted as dropped, and Err is %v", lost, o.Err())
		}
		close(hang)
		o.sink.set(func(s *sink) { s.hang = nil })
		synctest.Wait()
		if err := o.Err(); err != nil {
			t.Errorf("after the sink has caught up: %v", err)
		}
		if n := len(o.sink.String()); n > 1<<20 {
			t.Errorf("%d bytes were kept, want 1 MiB at most", n)
		}
		o.Write(call(0))
		o.close(t)
		records, torn := linesOf(t, o.sink.String())
		gaps := only(records, "dropped")
		if torn > 0 || len(gaps) != 1 || gaps[0]["detail"] != fmt.Sprintf("%d records", int(lost)) {
			t.Errorf("%d torn lines, and of %v dropped records the log says %v", torn, lost, gaps)
		}
		if got := float64(len(only(records, "end"))) + lost; got != calls+1 {
			t.Errorf("%v records written or dropped, want %d", got, calls+1)
		}
		last := records[len(records)-1]["number"].(float64)
		if want := float64(len(records)) + lost; last != want {
			t.Errorf("the last number is %v, want %v: written and dropped", last, want)
		}
		if text := o.logged.String(); strings.Count(text, "\n") != 2 || strings.Count(text, `"level":"ERROR"`) != 1 || !strings.Contains(text, "written again") {
			t.Errorf("want one line of the log that it cannot be written, and one that it is again:\n%s", text)
		}
	})
}

// A call that must be recorded is refused while the sink hangs, at once where that is known, and
// let in afterwards.
func TestASinkThatHangsRefusesAndComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := open(t, true)
		if err := o.Commit(t.Context(), call(1)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(o.sink.String(), "a.B/M1") {
			t.Errorf("committed, and not written:\n%s", o.sink.String())
		}
		hang := make(chan struct{})
		o.sink.set(func(s *sink) { s.hang = hang })
		begun := time.Now()
		if err := o.Commit(t.Context(), call(2)); err == nil || !strings.Contains(err.Error(), "the audit log cannot be written") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("refused after %v", took)
		}
		begun = time.Now()
		for n := range 100 {
			if err := o.Commit(t.Context(), call(100+n)); err == nil {
				t.Fatal("let in while the sink hangs")
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("further calls waited %v", took)
		}
		if o.Err() == nil {
			t.Error("nothing is wrong, it says")
		}
		close(hang)
		o.sink.set(func(s *sink) { s.hang = nil })
		synctest.Wait()
		if err := errors.Join(o.Err(), o.Commit(t.Context(), call(3))); err != nil {
			t.Errorf("after the sink works again: %v", err)
		}
		o.close(t)
		if text := o.logged.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "refused") || !strings.Contains(text, "written again") {
			t.Errorf("want one line that calls are refused, and one that they are not any more:\n%s", text)
		}
	})
}

// A sink that fails, as a full disk does within a line, is tried again. Nothing that was taken is
// lost, in either mode.
func TestASinkThatFailsIsTriedAgain(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		t.Run(fmt.Sprintf("refuse %t", refuse), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := open(t, refuse)
				synctest.Wait()
				o.sink.set(func(s *sink) { s.err, s.partial = errors.New("no space left on device"), 50 })
				o.Write(call(1))
				synctest.Wait()
				if err := o.Err(); err == nil || !strings.Contains(err.Error(), "no space left") {
					t.Errorf("got %v, want the sink's error", err)
				}
				if err := o.Commit(t.Context(), call(2)); err == nil {
					t.Error("committed what was not written")
				}
				o.sink.set(func(s *sink) { s.partial, s.writes = 0, 0 })
				o.Write(call(3))
				time.Sleep(time.Minute)
				synctest.Wait()
				if o.sink.set(func(s *sink) {
					if s.writes > 300 {
						t.Errorf("tried %d times a minute", s.writes)
					}
				}); o.Err() == nil {
					t.Error("nothing is wrong, it says")
				}
				o.sink.set(func(s *sink) { s.err = nil })
				time.Sleep(time.Second)
				synctest.Wait()
				if err := errors.Join(o.Err(), o.Commit(t.Context(), call(4))); err != nil {
					t.Errorf("after the sink works again: %v", err)
				}
				o.close(t)
				records, torn := linesOf(t, o.sink.String())
				for _, want := range []string{"a.B/M1", "a.B/M3", "a.B/M4"} {
					if got := strings.Count(o.sink.String(), `"`+want+`"`); got != 1 {
						t.Errorf("%s is written %d times, want once", want, got)
					}
				}
				if torn != 1 || o.count(t, "dropped") != 0 || len(only(records, "closed")) != 1 {
					t.Errorf("%d torn lines, want the one; %v dropped:\n%s", torn, o.count(t, "dropped"), o.sink.String())
				}
			})
		})
	}
}

// Denied calls, of which anyone may make many, leave room for those that wait for their record.
func TestDeniedCallsLeaveRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := open(t, true)
		synctest.Wait()
		hang := make(chan struct{})
		o.sink.set(func(s *sink) { s.hang = hang })
		for n := range 20_000 {
			o.Write(call(n))
		}
		if o.count(t, "dropped") == 0 {
			t.Fatal("the buffer is not full")
		}
		committed := make(chan error, 1)
		go func() { committed <- o.Commit(t.Context(), call(0)) }()
		synctest.Wait()
		close(hang)
		if err := <-committed; err != nil {
			t.Errorf("a call that may run is refused because others were denied: %v", err)
		}
		o.close(t)
	})
}

// Denied calls, of which a stranger can make any number, fail nothing where calls must be recorded,
// and keep those waiting for no longer than a quarter of the buffer takes to write.
func TestDeniedCallsAreNoTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := open(t, true)
		defer o.close(t)
		synctest.Wait()
		hang := make(chan struct{})
		o.sink.set(func(s *sink) { s.hang = hang })
		denied := call(1)
		denied.Decision = audit.Deny
		for range 20_000 {
			o.Write(denied)
		}
		if lost := o.count(t, "dropped"); lost < 10_000 {
			t.Errorf("%v records are dropped, want most of 20,000", lost)
		}
		if err := o.Err(); err != nil {
			t.Errorf("dropped records of denied calls: %v", err)
		}
		o.sink.set(func(s *sink) { s.hang = nil })
		close(hang)
		synctest.Wait()
		if n := len(o.sink.String()); n > 300<<10 {
			t.Errorf("%d bytes of denied calls have waited", n)
		}
		if o.logged.Len() > 0 {
			t.Errorf("logged %s", o.logged)
		}
	})
}

// A sink that goes back and forth makes a few lines of the log and not one for each time.
func TestASinkThatGoesBackAndForth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := open(t, false)
		defer o.close(t)
		for range 100 {
			o.sink.set(func(s *sink) { s.err = errors.New("full") })
			o.Write(call(1))
			synctest.Wait()
			o.sink.set(func(s *sink) { s.err = nil })
			time.Sleep(300 * time.Millisecond)
			o.Write(call(2))
			synctest.Wait()
		}
		if n := strings.Count(o.logged.String(), `"level":"ERROR"`); n < 2 || n > 20 {
			t.Errorf("%d lines at ERROR in 30 s", n)
		}
	})
}

func TestCommitEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := open(t, true)
		synctest.Wait()
		hang := make(chan struct{})
		o.sink.set(func(s *sink) { s.hang = hang })
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := o.Commit(ctx, call(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := o.Err(); err != nil {
			t.Errorf("a caller in haste has the log called broken: %v", err)
		}
		close(hang)
		o.close(t)
	})
}

// What cannot be written at the end is counted and told, within the time that there is.
func TestCloseTellsWhatIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := open(t, false)
		synctest.Wait()
		hang := make(chan struct{})
		o.sink.set(func(s *sink) { s.hang = hang })
		for n := range 5 {
			o.Write(call(n))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := o.Flush(ctx); err == nil || !strings.Contains(err.Error(), "5 records are not written") {
			t.Errorf("Flush: got %v, want 5 records", err)
		}
		for range 2 {
			if err := o.Close(ctx); err == nil || !strings.Contains(err.Error(), "6 records are not written") {
				t.Errorf("Close: got %v, want 6 records: the last one too", err)
			}
		}
		if got := o.count(t, "dropped"); got != 6 {
			t.Errorf("%v counted as dropped, want 6", got)
		}
		close(hang) // its goroutine ends, else the bubble would not
	})
}

func TestNoLog(t *testing.T) {
	var none *audit.Log
	none.Write(call(1))
	if none.Wants(true) || none.Refuses() || errors.Join(none.Flush(t.Context()), none.Close(t.Context())) != nil {
		t.Error("a nil log does something")
	}
}

func TestPolicies(t *testing.T) {
	for policy, want := range map[audit.Policy][2]bool{audit.Denied: {false, true}, audit.All: {true, true}, audit.Off: {false, false}} {
		log, err := audit.Open(audit.Config{Policy: policy, Sink: &sink{}})
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{log.Wants(false), log.Wants(true)}; got != want {
			t.Errorf("%s wants allowed and denied calls: %v, expected %v", policy, got, want)
		}
		if err := log.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
