// Package leakcheck finds goroutines that a test started and left behind.
//
// A test calls [Check] first; its clean-up then runs last and fails the test, with the stack of
// every goroutine that was not there before and has not ended within five seconds:
//
//	func TestServer(t *testing.T) {
//		leakcheck.Check(t)
//		...
//	}
//
// A test kit that stops something in the middle of a test uses [Take] and [Find] instead, or a
// [Group] where it can run what it watches in a goroutine of its own.
//
// Goroutines are told apart by their id and carry no mark of the test that started them, so in a
// test that runs in parallel with others their goroutines count too. Use it in tests that do not
// call t.Parallel.
package leakcheck
