//go:build !race

package chassistest

const raceDetector = false
