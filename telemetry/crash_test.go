package telemetry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/telemetry"
)

// crashes are ends of a process without Shutdown, each behind a line of ERROR, or settled ones.
var crashes = map[string]func(*telemetry.Telemetry){
	"os.Exit": func(tel *telemetry.Telemetry) {
		tel.Logger().Error("last words")
		os.Exit(7)
	},
	"panic elsewhere": func(tel *telemetry.Telemetry) {
		tel.Logger().ErrorContext(context.Background(), "last words")
		go func() { panic("the end") }()
		select {}
	},
	"above ERROR": func(tel *telemetry.Telemetry) {
		tel.Logger().With("a", 1).WithGroup("g").Log(context.Background(), slog.LevelError+4, "last words")
		os.Exit(7)
	},
	"access log": func(tel *telemetry.Telemetry) {
		_, _ = tel.Lines().Write([]byte(`{"time":"2026-01-01T00:00:00.000000000Z","level":"ERROR","msg":"last words"}` + "\n"))
		os.Exit(7)
	},
	"settled": func(tel *telemetry.Telemetry) {
		tel.Logger().Info("last words")
		tel.Settle()
		os.Exit(7)
	},
}

func TestLinesBeforeACrash(t *testing.T) {
	const mode = "PADDOCK_TEST_CRASH"
	if crash := crashes[os.Getenv(mode)]; crash != nil {
		tel, err := telemetry.Start(context.Background(), telemetry.Config{Service: "test", LogFormat: "json"})
		if err != nil {
			os.Exit(1)
		}
		for i := range 100 {
			tel.Logger().Info("before", "i", i)
		}
		crash(tel)
	}
	for name := range crashes {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup
			slots := make(chan struct{}, 2)
			for range 8 {
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					cmd := exec.Command(os.Args[0], "-test.run=^TestLinesBeforeACrash$")
					cmd.Env = append(os.Environ(), mode+"="+name)
					out, err := cmd.Output()
					if err == nil || bytes.Count(out, []byte(`"msg":"before"`)) != 100 || !bytes.Contains(out, []byte(`"msg":"last words"`)) {
						t.Errorf("%v, and standard output ends in %q", err, out[max(0, len(out)-200):])
					}
				})
			}
			all.Wait()
		})
	}
}

func TestAStalledOutputHoldsUpOneErrorAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{release: make(chan struct{})}
		tel := start(t, telemetry.Config{Output: out})
		write := map[string]func(){
			"Logger": func() { tel.Logger().Error("m") },
			"Lines":  func() { _, _ = tel.Lines().Write([]byte(`{"time":"2026-01-01T00:00:00Z","level":"ERROR"}`)) },
			"Settle": tel.Settle,
		}
		waits := func() (all time.Duration) {
			for _, w := range write {
				begin := time.Now()
				w()
				all += time.Since(begin)
			}
			return all
		}
		if all := waits() + waits(); all != 100*time.Millisecond {
			t.Errorf("the calls waited %v, want 100 ms in all", all)
		}
		time.Sleep(time.Minute)
		if all := waits(); all != 0 {
			t.Errorf("later calls waited %v, want not at all", all)
		}
		close(out.release)
		synctest.Wait()
		out.release = make(chan struct{})
		if all := waits(); all != 100*time.Millisecond {
			t.Errorf("calls of a second stall waited %v, want 100 ms", all)
		}
		close(out.release)
	})
}

// An output that takes each batch slowly, and never catches up, is not waited for again.
func TestASlowOutputHoldsUpOneErrorAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := start(t, telemetry.Config{Output: sluggish{}})
		var waited time.Duration
		for range 100 {
			tel.Logger().Info("another")
			begin := time.Now()
			tel.Logger().Error("m")
			waited += time.Since(begin)
			time.Sleep(time.Millisecond)
		}
		if waited > 150*time.Millisecond {
			t.Errorf("calls waited %v, want one wait", waited)
		}
	})
}

type sluggish struct{}

func (sluggish) Write(p []byte) (int, error) {
	time.Sleep(120 * time.Millisecond) // of a bubble
	return len(p), nil
}

func BenchmarkError(b *testing.B) {
	tel := start(b, telemetry.Config{Output: io.Discard})
	line := fmt.Appendf(nil, `{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":%q}`, "x")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = tel.Lines().Write(line)
		}
	})
}
