//go:build !race

package inbound_test

const raceDetector = false
