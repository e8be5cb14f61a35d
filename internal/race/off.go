//go:build !race

// Package race tells tests whether the race detector is on.
package race

// Detector reports whether the race detector is on. With it, sync.Pool forgets at random, so that
// allocations cannot be counted, and a call costs several times as much.
const Detector = false
