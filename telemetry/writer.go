package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/logline"
)

const (
	bufferLimit = 1 << 20               // bytes of lines held, those in the hands of the output included
	batchSize   = 32 << 10              // bytes that are written without further delay
	batchDelay  = 10 * time.Millisecond // what a line waits for others
	settleTime  = 100 * time.Millisecond
	settleTries = 10 // where no processor was free to write
)

// lineWriter lets many goroutines write whole lines to one output without waiting for it. A line
// is copied into a buffer, which one goroutine writes to the output in batches. A line that finds
// no room is dropped and counted.
type lineWriter struct {
	out     io.Writer
	dropped prometheus.Counter
	notice  func(lost int) []byte // makes the line that reports lost ones

	mu       sync.Mutex
	buf      []byte        // lines not yet handed to out
	inFlight int           // bytes in the hands of out
	lost     int           // lines dropped and not yet reported
	in, done int           // bytes ever taken, bytes ever done with
	progress chan struct{} // closed when done grows; nil if nothing waits for it
	closed   bool

	behind atomic.Bool // a settle has waited in vain, and the output has not caught up since

	wake   chan struct{} // holds a token if buf is not empty
	hurry  chan struct{} // holds a token if buf should be written without delay
	quit   chan struct{} // closed by close
	exited chan struct{} // closed by run
}

func newLineWriter(out io.Writer, dropped prometheus.Counter, notice func(int) []byte) *lineWriter {
	w := &lineWriter{
		out: logline.NewOutput(out), dropped: dropped, notice: notice,
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		quit: make(chan struct{}), exited: make(chan struct{}),
	}
	go w.run()
	return w
}

// Write accepts one line, and adds the newline if it has none. It always reports success, because
// the caller could do nothing about a lost line.
func (w *lineWriter) Write(line []byte) (int, error) {
	if len(line) == 0 {
		return 0, nil
	}
	before, after := w.take(line)
	if after > 0 && before == 0 {
		signal(w.wake)
	}
	if before < batchSize && batchSize <= after {
		signal(w.hurry)
	}
	return len(line), nil
}

// take adds line to the buffer and returns the length of the buffer before and after.
func (w *lineWriter) take(line []byte) (before, after int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before = len(w.buf)
	if w.closed || w.inFlight+before+len(line) >= bufferLimit {
		w.lost++
		w.dropped.Inc()
		return before, before
	}
	w.buf = append(w.buf, line...)
	if line[len(line)-1] != '\n' {
		w.buf = append(w.buf, '\n')
	}
	w.in += len(w.buf) - before
	return before, len(w.buf)
}

// push starts writing the lines so far without delay, and does not wait for it.
func (w *lineWriter) push() { signal(w.hurry) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *lineWriter) run() {
	defer close(w.exited)
	b := &batch{lineWriter: w}
	delay := time.NewTimer(batchDelay)
	defer delay.Stop()
	for {
		select {
		case <-w.wake:
		case <-w.quit:
			b.write() // the rest
			b.write() // the report of what was dropped during that
			return
		}
		delay.Reset(batchDelay)
		select {
		case <-delay.C:
		case <-w.hurry:
		case <-w.quit:
		}
		b.write()
	}
}

// batch is the state of a lineWriter's goroutine: the lines that it is writing.
type batch struct {
	*lineWriter
	lines []byte
}

// write writes all lines so far to the output.
func (b *batch) write() {
	lost := b.swap()
	if len(b.lines) == 0 && lost == 0 {
		return
	}
	if lost > 0 {
		b.lines = append(b.lines, b.notice(lost)...)
	}
	n, err := b.out.Write(b.lines)
	b.finish(n, lost, err)
}

// swap exchanges the buffer for an empty one, and returns the number of lost lines to report.
func (b *batch) swap() (lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf, b.lines = b.lines[:0], b.buf
	b.inFlight = len(b.lines)
	lost, b.lost = b.lost, 0
	return lost
}

// finish counts the result of a write. Lines that the output refused are lost. They are reported
// with the next batch, without a retry, because the output may refuse that too.
func (b *batch) finish(n, lost int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += b.inFlight
	b.inFlight = 0
	if err != nil {
		refused := bytes.Count(b.lines[n:], []byte{'\n'})
		if lost > 0 && refused > 0 {
			refused-- // the notice
			b.lost += lost
		}
		b.lost += refused
		b.dropped.Add(float64(refused))
	} else if b.lost > 0 {
		signal(b.wake) // lines were dropped meanwhile, and perhaps no other follows to wake us
		signal(b.hurry)
	}
	if len(b.buf) == 0 {
		b.behind.Store(false)
	}
	if b.progress != nil {
		close(b.progress)
		b.progress = nil
	}
}

// flush waits until all lines so far were written, or ctx ends.
func (w *lineWriter) flush(ctx context.Context) error {
	w.mu.Lock()
	target := w.in
	for w.done < target {
		if w.progress == nil {
			w.progress = make(chan struct{})
		}
		progress := w.progress
		w.mu.Unlock()
		w.push()
		select {
		case <-progress:
		case <-ctx.Done():
			return w.stalled(ctx)
		}
		w.mu.Lock()
	}
	w.mu.Unlock()
	return nil
}

// settle waits until all lines so far were written, at most 100 ms. If that is too short, it does
// not wait again before the output has caught up. So a stalled reader costs one wait in total.
func (w *lineWriter) settle() {
	w.push()
	if w.behind.Load() {
		return
	}
	for range settleTries {
		ctx, cancel := context.WithTimeout(context.Background(), settleTime)
		err := w.flush(ctx)
		cancel()
		if err == nil {
			return
		}
		if w.writing() {
			break
		}
	}
	w.behind.Store(true)
}

// writing reports whether a Write to the output is running.
func (w *lineWriter) writing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inFlight > 0
}

// close writes the remaining lines and stops. Later lines are dropped and counted. If ctx ends
// first, close returns an error, and the goroutine ends when the output's Write returns.
func (w *lineWriter) close(ctx context.Context) error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.quit)
	}
	w.mu.Unlock()
	select {
	case <-w.exited:
		return nil
	case <-ctx.Done():
		return w.stalled(ctx)
	}
}

func (w *lineWriter) stalled(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Errorf("telemetry: standard output has not taken the last %d bytes of the log: %w", w.in-w.done, context.Cause(ctx))
}
