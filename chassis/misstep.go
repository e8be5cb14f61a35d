package chassis

// misstep is the failure of a function of the service that hangs, panics or ends its goroutine. It counts also where a
// stop was asked for, which excuses any other.
type misstep struct{ error }

func (m misstep) Unwrap() error { return m.error }
