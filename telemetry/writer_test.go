package telemetry_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/telemetry"
)

// stalled is an output that takes nothing until it is released.
type stalled struct {
	buffer
	release chan struct{}
}

func (s *stalled) Write(p []byte) (int, error) {
	<-s.release
	return s.buffer.Write(p)
}

func dropped(t testing.TB, tel *telemetry.Telemetry, sink string) int {
	t.Helper()
	return int(sample(t, tel, fmt.Sprintf("chassis_log_lines_dropped_total{sink=%q}", sink)))
}

func TestLinesWaitForCompanyAndWarningsDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &buffer{}
		tel := start(t, telemetry.Config{Output: out})
		begin := time.Now()
		wrote := func() bool { synctest.Wait(); return strings.Contains(out.String(), "here") }

		tel.Logger().Info("here")
		if wrote() {
			t.Error("an INFO record was written at once, want it to wait for others")
		}
		time.Sleep(10 * time.Millisecond)
		if !wrote() {
			t.Error("an INFO record was not written after 10 ms")
		}
		out.data.Reset()
		tel.Logger().Warn("here")
		if !wrote() {
			t.Error("a WARN record was not written at once")
		}
		out.data.Reset()
		for range 300 {
			_, _ = tel.Lines().Write([]byte(strings.Repeat("here ", 25)))
		}
		if !wrote() {
			t.Error("32 KiB of lines were not written at once")
		}
		tel.Logger().Info("flushed")
		flush(t, tel)
		if took := time.Since(begin); took != 10*time.Millisecond {
			t.Errorf("%s passed, want 10 ms: something waited", took)
		}
	})
}

func TestStalledOutputCostsLinesAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{release: make(chan struct{})}
		tel := start(t, telemetry.Config{Output: out})
		const all = 5000
		line := fmt.Appendf(nil, `{"msg":%q}`, strings.Repeat("x", 990))
		for i := range all {
			if _, err := tel.Lines().Write(line); err != nil {
				t.Fatal(err)
			}
			if i == 10 {
				time.Sleep(time.Second) // the first lines are in the hands of the output now
			}
		}
		lost := dropped(t, tel, "stdout")
		if kept := (all - lost) * (len(line) + 1); kept > 1<<20 || kept < 1<<20-2000 {
			t.Errorf("%d lines lost, so %d bytes are held, want nearly 1 MiB", lost, kept)
		}
		close(out.release)
		synctest.Wait()
		flush(t, tel)

		written := lines(t, &out.buffer) // fails if one is torn
		last := written[len(written)-1]
		if len(written) != all-lost+1 || last["lines"] != float64(lost) || last["level"] != "WARN" {
			t.Errorf("%d lines, the last %v, want %d and a report of %d lost", len(written), last, all-lost+1, lost)
		}
		tel.Logger().Warn("after")
		synctest.Wait()
		if !strings.Contains(out.String(), "after") {
			t.Error("nothing is written after the output recovered")
		}
	})
}

// Lines may be lost while the only others are in the hands of the output; the report must not wait
// for a next line.
func TestLossIsReportedWithoutAnotherLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{release: make(chan struct{})}
		tel := start(t, telemetry.Config{Output: out})
		giant := bytes.Repeat([]byte{'x'}, 1<<20-10)
		_, _ = tel.Lines().Write(giant)
		time.Sleep(time.Second)
		_, _ = tel.Lines().Write(giant)
		close(out.release)
		synctest.Wait()
		if !strings.Contains(out.String(), `"lines":1`) {
			t.Error("the lost line is not reported")
		}
	})
}

func TestShutdownOfAStalledOutputReturnsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{release: make(chan struct{})}
		tel := start(t, telemetry.Config{Output: out})
		tel.Logger().Warn("stuck")
		synctest.Wait()
		tel.Logger().Warn("behind it")
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := tel.Shutdown(ctx)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("Shutdown took %s, want the 3 s it had", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "standard output") {
			t.Errorf("Shutdown = %v, want an error that names standard output", err)
		}
		close(out.release) // lets the goroutine go, as synctest demands
	})
}

func TestShutdownWritesEverything(t *testing.T) {
	out := &buffer{}
	tel := start(t, telemetry.Config{Output: out})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 100 {
				tel.Logger().Info("m", "i", i)
			}
		})
	}
	all.Wait()
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(lines(t, out)); n != 800 {
		t.Errorf("%d lines, want 800", n)
	}
}

// A real pipe whose reader stalls, as under a container runtime that cannot keep up.
func TestStalledPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tel := start(t, telemetry.Config{Output: w})
	for i := range 20_000 {
		tel.Logger().Error("m", "i", i, "filling", strings.Repeat("x", 200))
	}
	lost := dropped(t, tel, "stdout")
	if lost == 0 {
		t.Fatal("no line was dropped")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := tel.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Flush = %v, want it to give up", err)
	}

	lineCount, reports := 0, 0
	read := make(chan error, 1)
	go func() {
		defer r.Close()
		s := bufio.NewScanner(r)
		for s.Scan() {
			var line map[string]any
			if err := json.Unmarshal(s.Bytes(), &line); err != nil {
				read <- fmt.Errorf("torn line %q: %w", s.Text(), err)
				return
			}
			lineCount++
			if n, ok := line["lines"].(float64); ok {
				reports += int(n)
			}
			if line["msg"] == "end" {
				break
			}
		}
		read <- s.Err()
	}()
	flush(t, tel)
	tel.Logger().Warn("end")
	flush(t, tel)
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if lost = dropped(t, tel, "stdout"); reports != lost {
		t.Errorf("reports say %d lines are lost, the metric says %d", reports, lost)
	}
	if lineCount < 20_000-lost {
		t.Errorf("%d lines arrived and %d were dropped of 20,000", lineCount, lost)
	}
}

// failing is an output that refuses some writes, in the middle of a line.
type failing struct {
	buffer
	fail bool
}

func (f *failing) Write(p []byte) (int, error) {
	if f.fail {
		n, _ := f.buffer.Write(p[:min(3, len(p))])
		return n, io.ErrClosedPipe
	}
	return f.buffer.Write(p)
}

func TestRefusedLinesAreCountedAndTheNextOneIsWhole(t *testing.T) {
	out := &failing{fail: true}
	tel := start(t, telemetry.Config{Output: out})
	for range 3 {
		_, _ = tel.Lines().Write([]byte(`{"k":1}`))
		flush(t, tel)
	}
	out.fail = false
	_, _ = tel.Lines().Write([]byte(`{"k":2}`))
	flush(t, tel)
	if n := dropped(t, tel, "stdout"); n != 3 {
		t.Errorf("%d lines counted as dropped, want 3", n)
	}
	if got := out.String(); !strings.Contains(got, "\n{\"k\":2}\n") || !strings.Contains(got, `"lines":3`) {
		t.Errorf("output is %q, want a whole line and the report of 3", got)
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	tel := start(t, telemetry.Config{Output: io.Discard})
	line := []byte(`{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"call","rpc_method":"a.B/C"}` + "\n")
	out := tel.Lines()
	for range 2000 {
		_, _ = out.Write(line)
	}
	flush(t, tel)
	if n := testing.AllocsPerRun(1000, func() { _, _ = out.Write(line) }); n != 0 {
		t.Errorf("Write allocates %v times, want 0", n)
	}
}

func BenchmarkLines(b *testing.B) {
	tel := start(b, telemetry.Config{Output: io.Discard})
	line := bytes.Repeat([]byte{'x'}, 300)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = tel.Lines().Write(line)
		}
	})
}
