//go:build race

package chassistest

// raceDetector makes calls several times as dear.
const raceDetector = true
