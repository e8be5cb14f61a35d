package chassis

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
)

// How a run ended: values of a label. A run that noted no end was killed.
const (
	runStopped  = "stopped"
	runCallsCut = "calls_cut"
	runFailed   = "failed"
	runKilled   = "killed"
)

// mostRunFile is the number of bytes that are read of a run file. It has far fewer.
const mostRunFile = 4 << 10

// runNote is what a run notes in its file: at first that it runs, at last how it ended.
type runNote struct {
	Reason   string `json:"reason"` // empty while it runs
	ExitCode int    `json:"exit_code"`
	CallsCut int    `json:"calls_cut"`
}

// runFile is the file of CHASSIS_RUN_FILE. The zero value notes nothing. It is never a reason not
// to start or stop: what goes wrong with it is logged.
type runFile struct {
	path string
	log  *slog.Logger
}

// begin returns how the run before ended, nil if that is not known, and notes that this one runs.
func (f runFile) begin() *runNote {
	if f.path == "" {
		return nil
	}
	last, err := readRun(f.path)
	if err != nil {
		f.log.Warn("how the last run ended is not known", "setting", "CHASSIS_RUN_FILE", "error", err.Error())
	}
	f.note(runNote{})
	return last
}

// end notes how this run ended.
func (f runFile) end(err error, callsCut int) {
	if f.path != "" {
		f.note(endOf(err, callsCut))
	}
}

// endOf returns the end of a run with the exit code of [Main].
func endOf(err error, callsCut int) runNote {
	switch {
	case err == nil:
		return runNote{Reason: runStopped}
	case errors.Is(err, ErrCallsCut):
		return runNote{Reason: runCallsCut, ExitCode: exitCut, CallsCut: callsCut}
	default:
		return runNote{Reason: runFailed, ExitCode: exitFailed}
	}
}

// note replaces the file as a whole, so that a crash leaves the old or the new one.
func (f runFile) note(r runNote) {
	text, err := json.Marshal(r)
	if err == nil {
		err = replaceFile(f.path, append(text, '\n'))
	}
	if err != nil {
		f.log.Warn("the end of this run will not be known", "setting", "CHASSIS_RUN_FILE", "error", err.Error())
	}
}

func replaceFile(path string, content []byte) error {
	next, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = next.Write(content)
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}

// readRun returns nil if there is no file.
func readRun(path string) (*runNote, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // the first run is no error
	case err != nil:
		return nil, err
	}
	defer file.Close()
	last := new(runNote)
	if err := json.NewDecoder(io.LimitReader(file, mostRunFile)).Decode(last); err != nil {
		return nil, fmt.Errorf("%s is not the file of a run: %w", path, err)
	}
	switch last.Reason {
	case "":
		last.Reason = runKilled
	case runStopped, runCallsCut, runFailed:
	default: // it would become the value of a label
		return nil, fmt.Errorf("%s is not the file of a run: its reason is %.40q", path, last.Reason)
	}
	return last, nil
}

// register registers the metrics of the last run. A nil run has none.
func (r *runNote) register(registry prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	info, code, cut := catalog.LastRunInfo.GaugeVec(), catalog.LastRunExitCode.GaugeVec(), catalog.LastRunCallsCut.GaugeVec()
	info.WithLabelValues(r.Reason).Set(1)
	if r.Reason != runKilled {
		code.WithLabelValues().Set(float64(r.ExitCode))
		cut.WithLabelValues().Set(float64(r.CallsCut))
	}
	return errors.Join(registry.Register(info), registry.Register(code), registry.Register(cut))
}
