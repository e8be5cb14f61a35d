// Command mutate asks of tests what they would not notice. It changes one thing in the code at a
// time, runs the tests, and reports each change that they passed with: a comparison at its
// boundary, a negated condition, a removed statement or value of a case, an operator, a constant.
//
//	go run . -n 60 -seed 1 -equivalent equivalent.txt internal/admission chassis/stop.go=./chassis chassis/drain.go=./chassis
//
// An argument is a folder, or a file, of a Go package, with the packages whose tests are to notice
// after a "=", separated by commas; without them, its own package. They are tried in that order.
//
// The tree is never changed: the compiler gets each change by -overlay, from a folder of its own
// that is removed at the end. Changes that do not compile are not counted, and others are taken in
// their place. A test that fails or exceeds its time has noticed. Which changes are tried depends
// on the seed and the code alone.
//
// The score is the share of noticed changes. Changes that make no difference are listed in the file
// of -equivalent, with a reason, and left out of it.
//
// gremlins and go-mutesting, the known tools, were turned down: the first removes no statements and
// takes no sample, the second is no longer kept.
package main
