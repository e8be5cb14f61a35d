package chassistest

import (
	"testing"

	"github.com/betmakers/paddock/chassis"
)

// ConformanceOf runs the checks and returns what each has found, in order, for tests of services
// that do not conform.
func ConformanceOf(t testing.TB, service chassis.Service, opts Options, run func(name string, check func(testing.TB))) {
	conformance(t, service, opts, run)
}
