//go:build race

package inbound_test

// raceDetector makes sync.Pool forget at random, so that allocations cannot be counted.
const raceDetector = true
