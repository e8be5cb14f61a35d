package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

const sinkLimit = 1 << 20 // bytes of records that wait for one sink, roughly

// sinkQueue is the queue of a sink. A log call never waits for it. One goroutine passes the
// records to the handler.
type sinkQueue struct {
	sink    Sink
	dropped prometheus.Counter
	log     *slog.Logger // reaches standard output alone

	mu         sync.Mutex
	waiting    []queued
	bytes      int           // of what waits or is in the hands of the handler
	in, done   int           // records ever taken, records ever done with
	progress   chan struct{} // closed when done grows; nil if nothing waits for it
	closing    context.Context
	abandoned  bool // what is left is thrown away
	lost       int  // since the last complaint
	complaints complaints

	wake   chan struct{} // holds a token if there is something to do
	exited chan struct{} // closed by run
	err    error         // of Close; set before exited is closed
}

// queued is a record on its way to the handler.
type queued struct {
	ctx    context.Context //nolint:containedctx // it goes with the record
	record slog.Record
	size   int
	via    *sinkHandler
}

func newSinkQueue(s Sink, dropped prometheus.Counter, log *slog.Logger) *sinkQueue {
	q := &sinkQueue{sink: s, dropped: dropped, log: log, wake: make(chan struct{}, 1), exited: make(chan struct{})}
	go q.run()
	return q
}

func (q *sinkQueue) handler() slog.Handler { return &sinkHandler{queue: q, own: q.sink.Handler} }

// put adds a record if there is room. An empty queue accepts a record of any size.
func (q *sinkQueue) put(r queued) {
	if !q.take(r) {
		q.lose(1, "its queue is full: the handler is too slow, or hangs", "")
		return
	}
	signal(q.wake)
}

func (q *sinkQueue) take(r queued) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing != nil || q.bytes > 0 && q.bytes+r.size > sinkLimit {
		return false
	}
	q.waiting = append(q.waiting, r)
	q.bytes += r.size
	q.in++
	return true
}

// lose counts records, and reports them at most once a minute.
func (q *sinkQueue) lose(n int, reason, stack string) {
	q.dropped.Add(float64(n))
	q.mu.Lock()
	q.lost += n
	lost := q.lost
	due := q.complaints.due()
	if due {
		q.lost = 0
	}
	q.mu.Unlock()
	if due {
		q.complain(lost, reason, stack)
	}
}

func (q *sinkQueue) complain(lost int, reason, stack string) {
	attrs := []any{"sink", q.sink.Name, "lost", lost, "error", reason}
	if stack != "" {
		attrs = append(attrs, "stack", stack)
	}
	q.log.Warn("a log sink has lost records", attrs...)
}

// run passes records on until the queue is closed and empty. If a handler ends the goroutine, one
// record is lost and another goroutine continues.
func (q *sinkQueue) run() {
	returned := false
	defer func() {
		if !returned {
			go q.run()
		}
	}()
	for q.next() {
	}
	returned = true
	q.finish()
}

// next passes the waiting records on, and reports whether there may be more.
func (q *sinkQueue) next() bool {
	r, ok, closed := q.first()
	switch {
	case ok:
		q.deliver(r)
	case closed:
		return false
	default:
		<-q.wake
	}
	return true
}

func (q *sinkQueue) first() (r queued, ok, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.waiting = nil
		return queued{}, false, q.closing != nil
	}
	r, q.waiting[0] = q.waiting[0], queued{}
	q.waiting = q.waiting[1:]
	return r, true, false
}

func (q *sinkQueue) deliver(r queued) {
	defer q.account(r)
	attempt(func() {
		handler := r.via.derived()
		if !handler.Enabled(r.ctx, r.record.Level) {
			return
		}
		if err := handler.Handle(r.ctx, r.record); err != nil {
			q.lose(1, err.Error(), "")
		}
	}, func(how failure) { q.lose(1, "the handler "+how.text, how.stack) })
}

func (q *sinkQueue) account(r queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= r.size
	q.done++
	if q.progress != nil {
		close(q.progress)
		q.progress = nil
	}
}

// finish closes the sink.
func (q *sinkQueue) finish() {
	defer close(q.exited)
	q.mu.Lock()
	ctx, abandoned := q.closing, q.abandoned
	q.mu.Unlock()
	if q.sink.Close == nil || abandoned {
		return
	}
	attempt(func() { q.err = q.sink.Close(ctx) }, func(how failure) { q.err = fmt.Errorf("its Close %s", how.text) })
}

// flush waits until all records so far were handled or lost, or ctx ends.
func (q *sinkQueue) flush(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for target := q.in; q.done < target; {
		if q.progress == nil {
			q.progress = make(chan struct{})
		}
		progress := q.progress
		q.mu.Unlock()
		select {
		case <-progress:
			q.mu.Lock()
		case <-ctx.Done():
			q.mu.Lock()
			return q.stalled(ctx, q.in-q.done)
		}
	}
	return nil
}

// close rejects further records, passes the waiting ones on, and closes the sink. If ctx ends
// first, waiting records are dropped and counted, and the goroutine ends when the handler
// returns.
func (q *sinkQueue) close(ctx context.Context) error {
	q.mu.Lock()
	if q.closing == nil {
		q.closing = ctx
	}
	q.mu.Unlock()
	signal(q.wake)
	select {
	case <-q.exited:
		q.conclude()
		if q.err != nil {
			return fmt.Errorf("telemetry: the log sink %q is not closed: %w", q.sink.Name, q.err)
		}
		return nil
	case <-ctx.Done():
		left := q.abandon()
		q.conclude()
		return q.stalled(ctx, left)
	}
}

// abandon drops the waiting records, and returns the number of records that were not handled.
func (q *sinkQueue) abandon() (left int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.abandoned = true
	left = q.in - q.done
	q.dropped.Add(float64(len(q.waiting)))
	q.lost += len(q.waiting)
	q.done += len(q.waiting)
	q.waiting = nil
	return left
}

// conclude logs the losses that were not logged yet.
func (q *sinkQueue) conclude() {
	q.mu.Lock()
	lost := q.lost
	q.lost = 0
	q.mu.Unlock()
	if lost > 0 {
		q.complain(lost, "losses since the last report, at shutdown", "")
	}
}

func (q *sinkQueue) stalled(ctx context.Context, left int) error {
	return fmt.Errorf("telemetry: the log sink %q has not taken %d records: %w", q.sink.Name, left, context.Cause(ctx))
}

// sinkHandler fills a queue. Only the goroutine of the queue calls the service's handler,
// including WithAttrs and WithGroup, because they may hang or panic.
type sinkHandler struct {
	queue  *sinkQueue
	parent *sinkHandler // nil for the first
	step   step         // from parent to this one
	own    slog.Handler // nil until it is needed; of the goroutine of the queue
}

func (h *sinkHandler) Enabled(_ context.Context, l slog.Level) (enabled bool) {
	least := h.queue.sink.Level
	if least == nil {
		return true
	}
	defer func() {
		if recover() != nil { // it is the service's, and a log call never panics for it
			enabled = true
		}
	}()
	return l >= least.Level()
}

func (h *sinkHandler) Handle(ctx context.Context, r slog.Record) error {
	q := queued{ctx: context.Background(), via: h}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		q.ctx = trace.ContextWithSpanContext(q.ctx, sc)
	}
	q.record, q.size = frozen(r)
	h.queue.put(q)
	return nil
}

func (h *sinkHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	f := freezer{}
	return &sinkHandler{queue: h.queue, parent: h, step: step{attrs: f.attrs(slices.Clone(attrs))}}
}

func (h *sinkHandler) WithGroup(name string) slog.Handler {
	return &sinkHandler{queue: h.queue, parent: h, step: step{group: name}}
}

// derived returns the service's handler with the groups and attributes of h.
func (h *sinkHandler) derived() slog.Handler {
	if h.own == nil {
		next := h.parent.derived()
		if h.step.group != "" {
			next = next.WithGroup(h.step.group)
		} else {
			next = next.WithAttrs(slices.Clone(h.step.attrs))
		}
		h.own = next
	}
	return h.own
}
