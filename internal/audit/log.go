package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/allowance"
	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/logline"
)

// Policy selects the calls that are recorded.
type Policy string

// The policies. Changes by the admin port are recorded with each but Off.
const (
	Off    Policy = "off"
	Denied Policy = "denied" // those that were denied, or would be
	All    Policy = "all"
)

const (
	bufferLimit = 1 << 20         // bytes of lines held, those in the hands of the sink included
	reserve     = bufferLimit / 4 // of it for calls that wait for their record
	deniedLimit = bufferLimit / 4 // for denied calls, which every client can make: they delay others only shortly
	retryAfter  = 250 * time.Millisecond
	stallAfter  = time.Second // without a byte taken, twice in a row, the sink has stalled
)

// Config configures an audit log.
type Config struct {
	Policy  Policy
	Refuse  bool      // Commit fails where a record cannot be written; else nothing is ever refused
	Sink    io.Writer // written by one goroutine; a *File is closed with the log
	Service string
	// Instance distinguishes the processes of a service.
	Instance   string
	Logger     *slog.Logger          // logs that the sink fails, and that it works again
	Registerer prometheus.Registerer // takes the metric; nil leaves it unregistered
}

// Log is an audit log. Its methods may be called concurrently. A nil Log records nothing and
// refuses nothing.
type Log struct {
	policy           Policy
	refuse           bool
	sink             io.Writer
	logger           *slog.Logger
	prefix           []byte
	written, dropped prometheus.Counter
	pool             sync.Pool // of *[]byte

	mu        sync.Mutex
	buf       []byte        // lines not yet in the hands of the sink
	flight    []byte        // lines in its hands, or which it has refused
	number    uint64        // of the newest record
	in, done  int           // bytes ever taken, bytes ever written
	progress  chan struct{} // closed when a write has returned; nil if nothing waits
	writing   bool          // the sink has not come back
	failed    error         // what the newest write came back with
	stalled   bool          // a wait has timed out, and nothing was written since
	missing   int           // records dropped since the newest line
	lost      int           // records ever dropped
	told      bool          // the log says that something is wrong
	lines     allowance.Lines
	closed    bool
	abandoned bool // what was left was counted as lost

	wake   chan struct{} // holds a token if buf is not empty
	quit   chan struct{} // closed by Close
	exited chan struct{} // closed by run
}

// The reasons why a record could not be written.
var (
	errStalled = errors.New("its sink does not take what is written")
	errFull    = errors.New("its buffer is full")
	errClosed  = errors.New("it is closed, as the service is stopping")
)

// Open starts the log. The caller must close it.
func Open(cfg Config) (*Log, error) {
	records := catalog.AuditRecords.CounterVec()
	if err := catalog.Register(cfg.Registerer, &records); err != nil {
		return nil, err
	}
	prefix := logline.AppendString([]byte(`{"log":"audit","service":`), cfg.Service)
	if cfg.Instance != "" {
		prefix = logline.AppendString(append(prefix, `,"instance":`...), cfg.Instance)
	}
	l := &Log{
		policy: cfg.Policy, refuse: cfg.Refuse, sink: logline.NewOutput(cfg.Sink), logger: cfg.Logger,
		prefix: append(prefix, `,"number":`...), written: records.WithLabelValues("written"), dropped: records.WithLabelValues("dropped"),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), exited: make(chan struct{}),
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	go l.run(cfg.Sink)
	l.Write(&Record{Event: opened, Time: time.Now(), Detail: "policy " + string(cfg.Policy) + ", " + l.mode()})
	return l, nil
}

func (l *Log) mode() string {
	if l.refuse {
		return "calls that cannot be recorded are refused"
	}
	return "records that cannot be written are dropped"
}

// Wants reports whether a call is recorded. Denied reports that it was denied, or would be.
func (l *Log) Wants(denied bool) bool {
	return l != nil && (l.policy == All || l.policy == Denied && denied)
}

// Refuses reports whether an admitted call must be committed before it runs.
func (l *Log) Refuses() bool { return l != nil && l.refuse }

// Write adds a record and never waits. A record that finds no room is dropped and counted.
func (l *Log) Write(r *Record) {
	if l == nil {
		return
	}
	limit := bufferLimit - reserve
	if r.Decision == Deny && l.refuse {
		limit = deniedLimit
	}
	l.put(r, limit)
	l.tell()
}

// Commit adds a record and waits until the sink has written it, so that it survives the end of
// the process. It fails with the reason if that is not possible. While the sink fails or is
// stalled, Commit fails at once. After an error the record may still be written later.
func (l *Log) Commit(ctx context.Context, r *Record) error {
	err := l.commit(ctx, r)
	l.tell()
	if err != nil {
		return fmt.Errorf("the audit log cannot be written: %w", err)
	}
	return nil
}

func (l *Log) commit(ctx context.Context, r *Record) error {
	if err := l.broken(); err != nil {
		return err
	}
	behind, ok := l.put(r, bufferLimit)
	if !ok {
		return errFull
	}
	return l.await(ctx, behind, true)
}

// Err returns the present failure, nil for none.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble()
}

// trouble is Err with the lock held. Dropped records are ignored if calls must be recorded: they
// are then of denied calls, which a client can make in any number, or ends of calls whose begin
// was written.
func (l *Log) trouble() error {
	if err := l.defect(); err != nil || l.refuse || l.missing == 0 {
		return err
	}
	return errFull
}

// broken returns the reason why the sink accepts nothing, nil if it accepts.
func (l *Log) broken() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.defect()
}

// defect is broken with the lock held.
func (l *Log) defect() error {
	switch {
	case l.closed:
		return errClosed
	case l.failed != nil:
		return l.failed
	case l.stalled:
		return errStalled
	default:
		return nil
	}
}

// put adds a line if the buffer stays below limit, and returns how many bytes must be written
// until it is in the sink.
func (l *Log) put(r *Record, limit int) (behind int, ok bool) {
	pooled, ok := l.pool.Get().(*[]byte)
	if !ok {
		pooled = new([]byte)
	}
	*pooled = r.appendTo((*pooled)[:0])
	defer l.pool.Put(pooled)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number++
	if l.closed || len(l.flight)+len(l.buf)+len(l.prefix)+len(*pooled) > limit {
		l.missing++
		l.lost++
		l.dropped.Inc()
		return 0, false
	}
	if l.missing > 0 {
		l.addGap()
		l.number++
	}
	l.add(*pooled)
	return l.in, true
}

// addGap records that records are missing here. The caller holds the lock.
func (l *Log) addGap() {
	gap := Record{Event: dropped, Time: time.Now(), Detail: strconv.Itoa(l.missing) + " records"}
	l.missing = 0
	l.add(gap.appendTo(nil))
}

// add completes a line after the prefix. The caller holds the lock.
func (l *Log) add(rest []byte) {
	before := len(l.buf)
	l.buf = strconv.AppendUint(append(l.buf, l.prefix...), l.number, 10)
	l.buf = append(l.buf, rest...)
	l.in += len(l.buf) - before
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// await returns when behind more bytes are written. An impatient wait ends if the sink fails or
// stalls.
func (l *Log) await(ctx context.Context, behind int, impatient bool) error {
	tick := time.NewTicker(stallAfter)
	defer tick.Stop()
	idle, seen := 0, -1
	for {
		progress, err := l.look(behind, impatient)
		if progress == nil {
			return err
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			if done, writing := l.standing(); writing && done == seen {
				idle++
			} else {
				idle, seen = 0, done
			}
			if impatient && idle == 1 {
				l.stall()
			}
		}
	}
}

// look returns a channel to wait for, nil if the wait is over.
func (l *Log) look(behind int, impatient bool) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.done >= behind:
		return nil, nil //nolint:nilnil // that is the answer
	case impatient && l.failed != nil:
		return nil, l.failed
	case impatient && l.stalled:
		return nil, errStalled
	}
	if l.progress == nil {
		l.progress = make(chan struct{})
	}
	return l.progress, nil
}

// standing returns how many bytes are written, and whether a write is running. If none is, the
// writing goroutine waits for a processor.
func (l *Log) standing() (done int, writing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done, l.writing
}

func (l *Log) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = l.writing
}

// tell logs when something begins to be wrong, and when it is over: at most so often, as a sink
// that is a little too slow goes back and forth.
func (l *Log) tell() {
	l.mu.Lock()
	err, lost := l.trouble(), l.lost
	changed := (err != nil) != l.told && !l.closed
	if changed && err != nil {
		if _, changed = l.lines.Allow("", time.Now()); !changed {
			l.mu.Unlock()
			return
		}
	}
	if changed {
		l.told = err != nil
	}
	l.mu.Unlock()
	switch {
	case !changed:
	case err != nil:
		l.logger.Error("the audit log cannot be written: "+l.mode(), "error", err.Error(), "dropped_in_all", lost)
	default:
		l.logger.Info("the audit log is written again", "dropped_in_all", lost)
	}
}
