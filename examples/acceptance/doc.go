// Package acceptance holds the tests that need a process: they build the binaries of hello,
// frontdesk and testservice, run them with a home folder and ports of their own, and look at them
// from outside, as operators, callers and attackers do.
//
//	process_test.go      one running binary: its log, its metrics, its end
//	authority_test.go    certificates of a test's own authority
//	clients_test.go      callers by gRPC and REST, and load that is made of them
//	collector_test.go    an OTLP collector that remembers, one that is silent, one that is gone
//	http2_test.go        a caller that writes frames itself, and so can break the rules
//	attack_test.go       a service under attack; attack_*_test.go are tables of attacks (docs/attacks.md)
//
// Every other file is about one promise of the chassis. The tests wait for conditions and assert
// orders, counts and outcomes, and of memory what is left of it; times are printed, not asserted.
// Load goes to the loopback interface alone.
package acceptance
