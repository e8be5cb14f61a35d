package chassis

// misstep is the failure of a function of the service that hangs, panics or ends its goroutine.
// Other failures are ignored after a stop was requested; a misstep is not.
type misstep struct{ error }

func (m misstep) Unwrap() error { return m.error }
