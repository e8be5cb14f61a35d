package leakcheck

import (
	"runtime"
	"strings"
)

// Snapshot is the set of goroutines that ran at one moment. The zero value is empty: every
// goroutine counts as added.
type Snapshot struct{ ids map[string]bool }

// Take returns the goroutines that run now, the caller's included.
func Take() Snapshot {
	ids := make(map[string]bool)
	for _, stack := range stacks() {
		ids[id(stack)] = true
	}
	return Snapshot{ids}
}

// added returns the stacks of the goroutines that run now, are not in s and may be held against a
// test. The goroutine that asks is never among them.
func (s Snapshot) added() []string {
	var added []string
	for i, stack := range stacks() {
		if i > 0 && !s.ids[id(stack)] && !harmless(stack) {
			added = append(added, stack)
		}
	}
	return added
}

// stacks returns the stack of every goroutine as the runtime prints it, the caller's first.
func stacks() []string {
	for buf := make([]byte, 64<<10); ; buf = make([]byte, 2*len(buf)) {
		if n := runtime.Stack(buf, true); n < len(buf) {
			return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
		}
	}
}

// id returns the goroutine's number: the second word of `goroutine 7 [running]:`.
func id(stack string) string {
	_, rest, _ := strings.Cut(stack, " ")
	number, _, _ := strings.Cut(rest, " ")
	return number
}

// harmless reports whether the goroutine belongs to the process rather than to a test: it was
// started by the testing package (another test, the alarm of -timeout), or runs once per process
// and never ends by design.
func harmless(stack string) bool {
	for _, mark := range []string{
		"\ncreated by testing.",
		"\ncreated by internal/synctest.",
		"\ncreated by os/signal.",
		"\ncreated by runtime.",
		"\nruntime.ReadTrace(",
		"\nruntime.ensureSigM(",
	} {
		if strings.Contains(stack, mark) {
			return true
		}
	}
	return false
}
