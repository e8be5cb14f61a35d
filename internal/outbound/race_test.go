//go:build race

package outbound_test

// raceDetector makes sync.Pool forget at random, so that allocations cannot be counted.
const raceDetector = true
