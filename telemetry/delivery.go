package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// complaintInterval is the least time between two log lines about one collector.
const complaintInterval = time.Minute

var errAbandoned = errors.New("given up at shutdown")

// delivery counts the items of one signal on their way to the collector: waiting, delivered and
// lost. It surrounds the SDK's batching on both sides, because the SDK does not report dropped
// items and reports errors only to a handler that all services of a process share.
type delivery struct {
	signal string
	limit  int // of items admitted and not yet sent, never above the queue of the SDK's batching
	log    *slog.Logger

	exported, overflow, failed prometheus.Counter // exported may be nil

	pending atomic.Int64

	mu         sync.Mutex
	abandoned  bool
	cancel     context.CancelFunc // of the newest export
	losses     int                // items lost since the last complaint
	complained bool               // since the last success
	complain   time.Time          // when the next complaint is due
}

// admit reports whether one more item may enter the queue.
func (d *delivery) admit() bool {
	if d.pending.Add(1) <= int64(d.limit) {
		return true
	}
	d.pending.Add(-1)
	d.overflow.Inc()
	return false
}

// send exports a batch of n items and counts the result. The SDK sends one batch at a time.
func (d *delivery) send(ctx context.Context, n int, export func(context.Context) error) {
	defer d.pending.Add(int64(-n))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := errAbandoned
	if d.begin(cancel) {
		err = export(ctx)
	}
	d.account(n, err)
}

func (d *delivery) begin(cancel context.CancelFunc) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cancel = cancel
	return !d.abandoned
}

// abandon cancels the running export and rejects later ones, so that a shutdown empties the queue
// at once.
func (d *delivery) abandon() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.abandoned = true
	if d.cancel != nil {
		d.cancel()
	}
}

func (d *delivery) account(n int, err error) {
	if err == nil {
		if d.exported != nil {
			d.exported.Add(float64(n))
		}
		d.recovered()
		return
	}
	d.failed.Add(float64(n))
	if lost, due := d.complaint(n); due {
		d.log.Warn("telemetry not exported", "signal", d.signal, "lost", lost, "error", err.Error())
	}
}

// complaint adds n losses and reports whether it is time to log them.
func (d *delivery) complaint(n int) (losses int, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.losses += n
	if time.Now().Before(d.complain) {
		return 0, false
	}
	losses, d.losses = d.losses, 0
	d.complain = time.Now().Add(complaintInterval)
	d.complained = true
	return losses, true
}

// conclude logs the losses that were not logged yet.
func (d *delivery) conclude() {
	d.mu.Lock()
	lost := d.losses
	d.losses = 0
	d.mu.Unlock()
	if lost > 0 {
		d.log.Warn("telemetry not exported", "signal", d.signal, "lost", lost, "error", "losses since the last report, at shutdown")
	}
}

func (d *delivery) recovered() {
	d.mu.Lock()
	was := d.complained
	d.complained = false
	d.mu.Unlock()
	if was {
		d.log.Info("telemetry is exported again", "signal", d.signal)
	}
}
