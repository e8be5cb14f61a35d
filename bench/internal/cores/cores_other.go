//go:build !linux

package cores

// Pair keeps nothing apart here.
type Pair struct{ Apart bool }

// Find returns the zero Pair.
func Find() Pair { return Pair{} }

// StartServer runs start.
func (Pair) StartServer(start func() error) error { return start() }

// PinGenerator does nothing.
func (Pair) PinGenerator() (undo func(), err error) { return func() {}, nil }
