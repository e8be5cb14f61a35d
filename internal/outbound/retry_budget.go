package outbound

import "sync/atomic"

// What a retry budget holds, in thousandths of a token: a failure takes one token, a success gives back a tenth of one,
// and a call may be sent again while at least half of the tokens are there.
const (
	budgetTokens  = 100_000
	budgetFailure = 1_000
	budgetSuccess = 100
)

// retryBudget keeps the retries to a dependency in proportion to the calls that succeed: in the long run at most one in
// ten, and none at all while the dependency fails for good. It is the throttle that gRPC's clients have (gRFC A6). The
// zero value is a full budget. It may be used concurrently.
type retryBudget struct {
	spent atomic.Int64
}

// allows reports whether a call may be sent again.
func (b *retryBudget) allows() bool { return b.spent.Load() <= budgetTokens/2 }

// succeeded notes an answer by which the dependency did what it was asked, or told why it does not.
func (b *retryBudget) succeeded() { b.add(-budgetSuccess) }

// failed notes a failure that another attempt might mend, whether or not there is one.
func (b *retryBudget) failed() { b.add(budgetFailure) }

func (b *retryBudget) add(change int64) {
	for {
		old := b.spent.Load()
		spent := min(max(old+change, 0), budgetTokens)
		if spent == old || b.spent.CompareAndSwap(old, spent) {
			return
		}
	}
}
