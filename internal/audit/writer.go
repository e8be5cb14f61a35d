package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"
)

// run writes lines to the sink until the log is closed. If the sink fails, it pauses, whatever
// arrives meanwhile.
func (l *Log) run(sink io.Writer) {
	defer close(l.exited)
	if file, ok := sink.(*File); ok {
		defer file.Close() //nolint:errcheck // every write has returned its own error
	}
	for {
		wake, again := l.wake, (<-chan time.Time)(nil)
		if !l.writeAll() {
			wake, again = nil, time.After(retryAfter)
		}
		select {
		case <-wake:
		case <-again:
		case <-l.quit:
			l.writeAll()
			return
		}
	}
}

// writeAll writes until nothing is left, and reports whether all was written.
func (l *Log) writeAll() bool {
	for {
		lines := l.take()
		if len(lines) == 0 {
			return true
		}
		n, err := l.sink.Write(lines)
		l.took(n, err)
		l.tell()
		if err != nil {
			return false
		}
	}
}

// take returns the lines to write: those that the sink has rejected before, else the new ones.
func (l *Log) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.flight) == 0 {
		if l.missing > 0 {
			l.number++
			l.addGap()
		}
		l.flight, l.buf = l.buf, l.flight[:0]
	}
	l.writing = len(l.flight) > 0
	return l.flight
}

// took records the result of a write. A partially written line is written again.
func (l *Log) took(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	whole := bytes.LastIndexByte(l.flight[:n], '\n') + 1
	l.written.Add(float64(bytes.Count(l.flight[:whole], []byte{'\n'})))
	l.done += whole
	l.flight = l.flight[:copy(l.flight, l.flight[whole:])]
	l.writing, l.failed = false, err
	if whole > 0 {
		l.stalled = false
	}
	if l.progress != nil {
		close(l.progress)
		l.progress = nil
	}
}

// Flush waits until all records so far are written, or ctx ends.
func (l *Log) Flush(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	behind := l.in
	l.mu.Unlock()
	if err := l.await(ctx, behind, false); err != nil {
		return l.left(err)
	}
	return nil
}

// Close writes the remaining records and an end record, and stops. Records that are not written
// when ctx ends are dropped and counted, and so are later ones. A write that hangs cannot be
// interrupted: its goroutine is left behind. A further call waits again.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.end()
	select {
	case <-l.exited:
		if err := l.left(l.lastError()); err != nil {
			return l.abandon(err)
		}
		return nil
	case <-ctx.Done():
		return l.abandon(l.left(context.Cause(ctx)))
	}
}

// end takes the last record.
func (l *Log) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	last := Record{Event: closed, Time: time.Now(), Detail: fmt.Sprintf("%d records dropped in all", l.lost)}
	l.number++
	l.add(last.appendTo(nil))
	l.closed = true
	close(l.quit)
}

func (l *Log) lastError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// left returns an error with the number of unwritten records and the reason, nil if there are
// none.
func (l *Log) left(why error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.unwritten()
	if lines == 0 {
		return nil
	}
	if l.failed != nil {
		why = l.failed
	}
	return fmt.Errorf("audit: %d records are not written: %w", lines, why)
}

// unwritten counts the kept lines. The caller holds the lock.
func (l *Log) unwritten() int {
	return bytes.Count(l.flight, []byte{'\n'}) + bytes.Count(l.buf, []byte{'\n'})
}

// abandon counts the remaining records as lost, once.
func (l *Log) abandon(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && !l.abandoned {
		l.abandoned = true
		l.dropped.Add(float64(l.unwritten()))
	}
	return err
}
