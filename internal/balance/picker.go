package balance

import (
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// tries bounds how often the child is asked for another replica than one that is out. When they are used up a call goes
// where it was told last: a replica that is out serves it better than none.
const tries = 16

// picker chooses the replica of each attempt.
type picker struct {
	policy *policy
	child  balancer.Picker
}

func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	now := time.Now()
	p.policy.judge(now)
	result, err := p.choose(info, now)
	sc, ok := result.SubConn.(*subConn)
	if err != nil || !ok {
		return result, err
	}
	m := p.policy.peer.lookup(info.FullMethodName)
	if code, again := p.policy.failed.take(info.Ctx); again {
		m.retries.inc(code)
	}
	if m.timed {
		sc.replica.waiting.Add(1)
	}
	told := result.Done
	result.SubConn = sc.SubConn
	result.Done = func(done balancer.DoneInfo) { // the one object of an attempt
		if told != nil {
			told(done)
		}
		if m.timed {
			sc.replica.waiting.Add(-1)
		}
		if done.BytesSent { // else it was never sent
			p.policy.ended(info, m, sc.replica, now, done)
		}
	}
	return result, nil
}

// choose asks the child until it names a replica that takes calls.
func (p *picker) choose(info balancer.PickInfo, now time.Time) (result balancer.PickResult, err error) {
	for range tries {
		result, err = p.child.Pick(info)
		sc, ok := result.SubConn.(*subConn)
		if err != nil || !ok || sc.replica.admits(now) {
			break
		}
	}
	return result, err
}

// ended accounts for an attempt.
func (p *policy) ended(info balancer.PickInfo, m *method, r *replica, begun time.Time, done balancer.DoneInfo) {
	code := rpcstatus.Known(status.Code(done.Err))
	m.attempts.inc(code)
	switch {
	case code == codes.Canceled: // by the caller: tells nothing of the replica
		return
	case code == codes.OK && m.timed:
		r.seen.took(time.Since(begun))
	case failed(code) && len(done.Trailer[rpcstatus.PushBack]) == 0:
		// A server that pushes back is well: it has too many calls, and were it taken out, the others would have even more.
		r.seen.failures.Add(1)
	}
	r.seen.calls.Add(1)
	if repeatable(code) {
		p.failed.add(info.Ctx, code)
	}
}

// failed reports whether a code speaks against the server.
func failed(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DeadlineExceeded, codes.DataLoss:
		return true
	default:
		return false
	}
}

// repeatable reports whether gRPC may send a call again that ended with code.
func repeatable(code codes.Code) bool {
	return code == codes.Unavailable || code == codes.ResourceExhausted
}
