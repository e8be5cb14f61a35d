package balance

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// tries bounds the attempts to get another replica from the child than one that is out. After
// them, the call goes to the last pick: a replica that is out serves it better than none.
const tries = 16

// picker chooses the replica of each attempt.
type picker struct {
	policy *policy
	child  balancer.Picker
}

func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	begun := time.Now()
	now := p.policy.at(begun)
	p.policy.judge(now)
	result, err := p.choose(info, now)
	sc, ok := result.SubConn.(*subConn)
	if err != nil || !ok {
		return result, err
	}
	m := p.policy.peer.lookup(info.FullMethodName)
	m.fromZero()
	if code, again := p.policy.failed.take(info.Ctx); again {
		m.retries.inc(code)
	}
	a := p.policy.begin(sc.replica, m, now)
	onDone := result.Done
	result.SubConn = sc.SubConn
	result.Done = func(done balancer.DoneInfo) { // the one object of an attempt
		if onDone != nil {
			onDone(done)
		}
		if !done.BytesSent {
			a.forget()
			return
		}
		a.end(time.Since(begun), a.policy.ended(info, a.method, done))
	}
	return result, nil
}

// choose asks the child until it picks a replica that accepts calls.
func (p *picker) choose(info balancer.PickInfo, now instant) (result balancer.PickResult, err error) {
	for range tries {
		for range p.policy.lots.skip() {
			_, _ = p.child.Pick(info)
		}
		result, err = p.child.Pick(info)
		sc, ok := result.SubConn.(*subConn)
		if err != nil || !ok || sc.replica.admits(now) {
			break
		}
	}
	return result, err
}

// attempt is one attempt of a call.
type attempt struct {
	policy  *policy
	replica *replica
	method  *method
	note    note
	slot    *atomic.Uint64 // of the note, nil if there is none
}

// begin records an attempt that goes to r.
func (p *policy) begin(r *replica, m *method, now instant) attempt {
	a := attempt{policy: p, replica: r, method: m, note: newNote(m, now)}
	r.attempts.begun.Add(1)
	if m.timed {
		r.waiting.Add(1)
		if p.remembers(r) {
			a.slot = r.attempts.add(a.note)
		}
	}
	return a
}

// end records the end of an attempt. A newer attempt may have taken the place of its note.
func (a attempt) end(took time.Duration, failed bool) {
	ended := a.note.ended(took, failed)
	switch {
	case a.slot != nil:
		a.slot.CompareAndSwap(uint64(a.note), uint64(ended))
	case !a.method.timed && a.policy.remembers(a.replica):
		a.replica.attempts.add(ended)
	}
	a.over()
}

// forget removes an attempt that was never sent.
func (a attempt) forget() {
	if a.slot != nil {
		a.slot.CompareAndSwap(uint64(a.note), 0)
	}
	a.over()
}

func (a attempt) over() {
	if a.method.timed {
		a.replica.waiting.Add(-1)
	}
}

// samplingOf returns the least random number for which an attempt is remembered, at this rate of
// attempts a second. 0 remembers all.
func samplingOf(rate float64) uint32 {
	if rate <= aSecond {
		return 0
	}
	return uint32(math.MaxUint32 * (1 - aSecond/rate))
}

// remembers decides by lot whether an attempt at r is remembered. All attempts at a replica that
// is out are.
func (p *policy) remembers(r *replica) bool {
	least := p.sampling.Load()
	return least == 0 || rand.Uint32() >= least || r.absence.out.Load()
}

// ended records an attempt and reports whether it failed by the fault of the replica.
func (p *policy) ended(info balancer.PickInfo, m *method, done balancer.DoneInfo) bool {
	code := rpcstatus.Known(status.Code(done.Err))
	m.attempts.inc(code)
	if repeatable(code) {
		p.failed.add(info.Ctx, code)
	}
	// A server that pushes back is healthy but has too many calls. If it were taken out, the
	// others would have even more.
	return failed(code) && len(done.Trailer[rpcstatus.PushBack]) == 0
}

// failed reports whether a code is a fault of the server.
func failed(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DeadlineExceeded, codes.DataLoss:
		return true
	default:
		return false
	}
}

// repeatable reports whether gRPC may retry a call that ended with code.
func repeatable(code codes.Code) bool {
	return code == codes.Unavailable || code == codes.ResourceExhausted
}
