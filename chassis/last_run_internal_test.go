package chassis

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestTheNextRunKnowsHowThisOneEnded(t *testing.T) {
	var log strings.Builder
	f := runFile{filepath.Join(t.TempDir(), "run"), slog.New(slog.NewTextHandler(&log, nil))}
	if last := f.begin(); last != nil {
		t.Errorf("before the first run: %+v", last)
	}
	if last := f.begin(); last == nil || last.Reason != runKilled {
		t.Errorf("a run without an end: %+v", last)
	}
	for _, tc := range []struct {
		err  error
		want runNote
	}{
		{nil, runNote{Reason: runStopped}},
		{errors.New("no port"), runNote{Reason: runFailed, ExitCode: exitFailed}},
		{fmt.Errorf("%w: a (3)", ErrCallsCut), runNote{Reason: runCallsCut, ExitCode: exitCut, CallsCut: 3}},
	} {
		f.end(tc.err, 3)
		if last := f.begin(); last == nil || *last != tc.want {
			t.Errorf("%v: %+v, want %+v", tc.err, last, tc.want)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(f.path)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v are left, want the file alone", entries, err)
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
}

// A run file that cannot be used is never a reason not to start.
func TestRunFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty": "", "no JSON": "hello", "another reason": `{"reason":"` + strings.Repeat("x", 100) + `"}`, "large": strings.Repeat(" ", 1<<20) + "{}",
	} {
		var log strings.Builder
		f := runFile{filepath.Join(dir, "run"), slog.New(slog.NewTextHandler(&log, nil))}
		if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if last := f.begin(); last != nil || !strings.Contains(log.String(), "CHASSIS_RUN_FILE") {
			t.Errorf("%s: %+v, logged %s", name, last, &log)
		}
	}
	var log strings.Builder
	f := runFile{filepath.Join(dir, "none", "run"), slog.New(slog.NewTextHandler(&log, nil))}
	if last := f.begin(); last != nil || !strings.Contains(log.String(), "CHASSIS_RUN_FILE") {
		t.Errorf("no folder: %+v, logged %s", last, &log)
	}
	f.end(nil, 0)
	runFile{}.end(nil, 0)
	if last := (runFile{}).begin(); last != nil {
		t.Errorf("no file: %+v", last)
	}
}

func TestMetricsOfTheLastRun(t *testing.T) {
	for _, tc := range []struct {
		last   *runNote
		series int
	}{{nil, 0}, {&runNote{Reason: runKilled}, 1}, {&runNote{Reason: runCallsCut, ExitCode: exitCut, CallsCut: 2}, 3}} {
		registry := prometheus.NewPedanticRegistry()
		if err := tc.last.register(registry); err != nil {
			t.Fatal(err)
		}
		if n, err := testutil.GatherAndCount(registry); err != nil || n != tc.series {
			t.Errorf("%+v: %d series, %v, want %d", tc.last, n, err, tc.series)
		}
	}
}
