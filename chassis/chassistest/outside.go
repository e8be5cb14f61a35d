package chassistest

import (
	"context"
	"fmt"
	"io"
	"testing"
)

// outside is in the place of a test where there is none. What would fail a test panics.
type outside struct{ testing.TB } // nil: what the package asks of a test is below

// testOr returns t, or what is in its place if it is nil.
func testOr(t testing.TB) testing.TB { //nolint:thelper // t may be nil
	if t == nil {
		return outside{}
	}
	return t
}

func (outside) Helper()                           {}
func (outside) Context() context.Context          { return context.Background() }
func (outside) Output() io.Writer                 { return io.Discard }
func (outside) Cleanup(func())                    {} // Running.Stop does what the end of a test does
func (outside) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (outside) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
