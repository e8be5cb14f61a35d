package outbound

import "sync/atomic"

// The size of a retry budget, in thousandths of a token. A failure takes one token, a success
// returns a tenth of one, and retries are allowed while at least half of the tokens are left.
const (
	budgetTokens  = 100_000
	budgetFailure = 1_000
	budgetSuccess = 100
)

// retryBudget keeps the retries to a dependency in proportion to the successful calls: in the
// long run at most one in ten, and none while the dependency fails permanently. It is the
// throttle of gRPC's clients (gRFC A6). The zero value is a full budget. It may be used
// concurrently.
type retryBudget struct {
	spent atomic.Int64
}

// allows reports whether a retry is allowed.
func (b *retryBudget) allows() bool { return b.spent.Load() <= budgetTokens/2 }

// succeeded records an answer with which the dependency did what it was asked, or gave its reason
// not to.
func (b *retryBudget) succeeded() { b.add(-budgetSuccess) }

// failed records a failure that a retry might correct, whether or not there is one.
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
