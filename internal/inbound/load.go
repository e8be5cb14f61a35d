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

// loadKey is the trailer with the server's load, as an xds.data.orca.v3.OrcaLoadReport (gRFC
// A51). Clients that balance by weight, such as those of Dial, distribute calls by capacity:
// calls over utilization.
const loadKey = "endpoint-load-metrics-bin"

// How load is measured and reported.
const (
	loadPause    = 20 * time.Millisecond  // at most one call in such a time carries a report
	loadMeasured = 500 * time.Millisecond // between measurements, of which a new one counts half
	loadForgets  = 5 * time.Second        // a longer time between two calls is not averaged over

	// Below leastLoad no load is reported, and clients give the replica an average weight.
	// Otherwise the replica's own background work would count as the cost of its calls, and a
	// replica with more calls would look cheaper.
	leastLoad = .1
)

// load is the reported load of a server: the share of its processors that the process uses, the
// calls that it answers in a second, and how many of them fail by its fault. The calls themselves
// trigger measurements, because without calls no client needs a report. A call without a report
// costs one atomic load.
type load struct {
	reported        atomic.Pointer[time.Time] // when a call carried the last report, by the monotonic clock
	refused, faults atomic.Uint64
	ended           func() uint64        // calls, refused ones included
	cpu             func() time.Duration // that the process has used

	mu       sync.Mutex
	last     loadSample
	rate     loadRate
	prepared metadata.MD // nil if there is no load to report
}

// loadSample has the counters at one moment.
type loadSample struct {
	at             time.Time
	ended, refused uint64 // a call counts as refused a moment before it counts as ended
	faults         uint64
	cpu            time.Duration
}

// loadRate has the rates of a second.
type loadRate struct{ calls, faults, cpu float64 }

// count counts a call that has ended with code, or was refused for reason.
func (l *load) count(reason Reason, code codes.Code) {
	if reason != "" { // refusals cost nothing: counting them would make a refusing server look idle
		l.refused.Add(1)
	} else if errorType(code) != "" {
		l.faults.Add(1)
	}
}

// report returns the report for a call that ends now, nil for most of them.
func (l *load) report(now time.Time) metadata.MD {
	last := l.reported.Load()
	if last != nil && within(*last, now, loadPause) {
		return nil
	}
	if at := now; !l.reported.CompareAndSwap(last, &at) {
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

// within reports whether now is less than d after began, or a moment before it, because calls end
// concurrently. A time long before it means that the clock was set back.
func within(began, now time.Time, d time.Duration) bool {
	passed := now.Sub(began)
	return passed > -time.Minute && passed < d
}

// measure adds a sample.
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

// Fields of OrcaLoadReport. It is encoded by hand, which saves a dependency.
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
