//go:build race

package chassistest

// raceDetector reports that calls cost several times as much.
const raceDetector = true
