package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"
)

// run hands lines to the sink until the log is closed. Where the sink fails it waits, whatever comes meanwhile.
func (l *Log) run(sink io.Writer) {
	defer close(l.exited)
	if file, ok := sink.(*File); ok {
		defer file.Close() //nolint:errcheck // every write has told its own error
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

// writeAll writes until nothing is left, and reports whether it came to that.
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

// take returns what is to be written: what the sink has refused before, else what has come since.
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

// took accounts for a write. A line that was written in part is written anew.
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

// Flush waits until what was recorded so far is written, or ctx ends.
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

// Close writes what is left, and an end, and stops; what could not be written when ctx ends is counted as dropped. A
// write that hangs cannot be interrupted: its goroutine ends with it. Records that come later are dropped and counted.
// Closing again waits again.
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

// left returns how many records are not written, and why; nil if there are none.
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

// unwritten counts the lines that are kept. The lock is held.
func (l *Log) unwritten() int {
	return bytes.Count(l.flight, []byte{'\n'}) + bytes.Count(l.buf, []byte{'\n'})
}

// abandon counts what is left as lost, once.
func (l *Log) abandon(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && !l.abandoned {
		l.abandoned = true
		l.dropped.Add(float64(l.unwritten()))
	}
	return err
}
