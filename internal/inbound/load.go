package inbound

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
)

// loadKey is the trailer in which a server tells its load, as an xds.data.orca.v3.OrcaLoadReport (gRFC A51). Clients that
// balance by weight, those of Dial among them, give each replica the calls that it can take: calls over utilization.
const loadKey = "endpoint-load-metrics-bin"

// How load is measured and told.
const (
	loadTold     = 20 * time.Millisecond  // at most one call in such a time carries a report
	loadMeasured = 500 * time.Millisecond // between measurements, of which a new one counts half
	loadForgets  = 5 * time.Second        // a longer time between two calls is not averaged over

	// Below leastLoad nothing is told, and clients treat the replica as an average one: what it spends on itself would pass
	// for the cost of its calls, and the replica with more calls for the cheaper one.
	leastLoad = .1
)

// load is what a server tells of its load: the share of its processors that the process uses, the calls that it answers
// in a second and how many of them fail by its fault. It is measured by the calls themselves: where there are none,
// nobody wants to know. A call that carries no report costs the load of a time.
type load struct {
	told            atomic.Pointer[time.Time] // when a call carried the last report, by the monotonic clock
	refused, faults atomic.Uint64
	ended           func() uint64        // calls, refused ones included
	cpu             func() time.Duration // that the process has used

	mu       sync.Mutex
	last     loadSample
	rate     loadRate
	prepared metadata.MD // nil if there is nothing to tell
}

// loadSample is what counters stood at.
type loadSample struct {
	at             time.Time
	ended, refused uint64 // a call counts as refused a moment before it counts as ended
	faults         uint64
	cpu            time.Duration
}

// loadRate is what went on in a second.
type loadRate struct{ calls, faults, cpu float64 }

// count takes a call that has ended with code, or was refused for reason.
func (l *load) count(reason Reason, code codes.Code) {
	if reason != "" { // it cost nothing: were it counted, a server that refuses calls would seem to be able to take them
		l.refused.Add(1)
	} else if errorType(code) != "" {
		l.faults.Add(1)
	}
}

// report returns what a call that ends now has to tell, nil for most of them.
func (l *load) report(now time.Time) metadata.MD {
	told := l.told.Load()
	if told != nil && within(*told, now, loadTold) {
		return nil
	}
	if at := now; !l.told.CompareAndSwap(told, &at) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if passed := now.Sub(l.last.at); passed >= loadMeasured || passed < 0 {
		sample := loadSample{now, l.ended(), l.refused.Load(), l.faults.Load(), l.cpu()}
		l.measure(sample, passed)
		l.last = sample
	}
	return l.prepared
}

// within reports whether now is less than d after began, or a moment before, as calls end beside each other. A time long
// before is of a clock that was set back.
func within(began, now time.Time, d time.Duration) bool {
	passed := now.Sub(began)
	return passed > -time.Minute && passed < d
}

// measure takes a sample into account.
func (l *load) measure(now loadSample, passed time.Duration) {
	if passed > loadForgets || passed < 0 {
		l.rate, l.prepared = loadRate{}, nil
		return
	}
	s := passed.Seconds()
	ended, refused := now.ended-l.last.ended, now.refused-l.last.refused
	l.rate.calls = half(l.rate.calls, float64(ended-min(ended, refused))/s)
	l.rate.faults = half(l.rate.faults, float64(now.faults-l.last.faults)/s)
	l.rate.cpu = half(l.rate.cpu, (now.cpu-l.last.cpu).Seconds()/s/float64(runtime.GOMAXPROCS(0)))
	if l.rate.cpu < leastLoad {
		l.prepared = nil
		return
	}
	l.prepared = metadata.MD{loadKey: {string(l.rate.encode())}}
}

// half is a moving average. The first value counts in full.
func half(old, now float64) float64 {
	if old == 0 {
		return now
	}
	return (old + now) / 2
}

// Fields of OrcaLoadReport, which is written by hand: it takes a dependency less.
const (
	orcaCPU   = 1 // cpu_utilization
	orcaCalls = 6 // rps_fractional
	orcaFault = 7 // eps
)

// encode returns an OrcaLoadReport.
func (r loadRate) encode() (b []byte) {
	for _, field := range []struct {
		number protowire.Number
		value  float64
	}{{orcaCPU, r.cpu}, {orcaCalls, r.calls}, {orcaFault, r.faults}} {
		b = protowire.AppendTag(b, field.number, protowire.Fixed64Type)
		b = protowire.AppendFixed64(b, math.Float64bits(field.value))
	}
	return b
}
