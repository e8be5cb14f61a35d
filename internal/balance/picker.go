package balance

import (
	"errors"
	"fmt"
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
	now := p.policy.clock.at(begun)
	p.policy.judge.round(now)
	result, err := p.choose(info, now)
	sc, ok := result.SubConn.(*subConn)
	if err != nil {
		return result, p.explained(err)
	}
	if !ok {
		return result, nil
	}
	m := p.policy.peer.lookup(info.FullMethodName)
	m.fromZero()
	if code, again := p.policy.failed.take(info.Ctx); again {
		m.retries.inc(code)
	}
	a := begin(p.policy, sc.replica, m, now)
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
		a.end(time.Since(begun), a.fails(info, done))
	}
	return result, nil
}

// choose asks the child until it picks a replica that accepts calls.
func (p *picker) choose(info balancer.PickInfo, now instant) (result balancer.PickResult, err error) {
	for range tries {
		for range p.policy.judge.lots.skip() {
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

// explained returns an error of the child with the name of the service, and with what to do if
// that has no address. gRPC treats statuses and ErrNoSubConnAvailable in ways of their own, so
// these stay as they are.
func (p *picker) explained(err error) error {
	peer := p.policy.peer
	if _, isStatus := status.FromError(err); isStatus || peer.name == "" || errors.Is(err, balancer.ErrNoSubConnAvailable) {
		return err
	}
	if why := p.policy.unresolved.Load(); why != nil {
		return fmt.Errorf("%s has no address: %w: %s", peer.name, *why, peer.advice)
	}
	return fmt.Errorf("%s: %w", peer.name, err)
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
func begin(p *policy, r *replica, m *method, now instant) attempt {
	a := attempt{policy: p, replica: r, method: m, note: newNote(m, now)}
	r.attempts.begun.Add(1)
	if m.timed {
		r.waiting.Add(1)
		if p.judge.sampling.remembers(r) {
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
	case !a.method.timed && a.policy.judge.sampling.remembers(a.replica):
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

// sampling decides which attempts are remembered: those whose random number is at least this.
// The zero value remembers all.
type sampling struct{ least atomic.Uint32 }

// adapt sets it for this rate of attempts a second at each replica.
func (s *sampling) adapt(rate float64) {
	if rate <= aSecond {
		s.least.Store(0)
		return
	}
	s.least.Store(uint32(math.MaxUint32 * (1 - aSecond/rate)))
}

// remembers decides by lot whether an attempt at r is remembered. All attempts at a replica that
// is out are.
func (s *sampling) remembers(r *replica) bool {
	least := s.least.Load()
	return least == 0 || rand.Uint32() >= least || r.absence.out.Load()
}

// fails counts the code of an attempt, and reports whether it failed by the fault of the replica.
func (a attempt) fails(info balancer.PickInfo, done balancer.DoneInfo) bool {
	code := rpcstatus.Known(status.Code(done.Err))
	a.method.attempts.inc(code)
	if repeatable(code) {
		a.policy.failed.add(info.Ctx, code)
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
