// Package chassistest runs a service in memory for a test: the same [chassis.Service] value that main runs, with its
// real ports, mutual TLS, telemetry and shutdown, but no socket, no file and nothing of the process's environment.
//
//	func TestHello(t *testing.T) {
//		svc := chassistest.Start(t, Service(), chassistest.Options{})
//		hello := hellov1.NewHelloServiceClient(svc.ConnAs("web"))
//		...
//	}
//
// # Callers
//
// [Running.ConnAs] is a gRPC connection and [Running.HTTPAs] an HTTP client of a caller with a proven identity: a SPIFFE
// ID, or a name in the trust domain "test", to which the service belongs too. [Running.Conn] and [Running.HTTP] are those
// of "client". Each caller's certificate is minted by an authority that the test made; services that call each other
// share one by [Options].CA.
//
// A service that calls others reaches them in memory, by mutual TLS, where [Options].Peers has them under the names that it
// dials:
//
//	wallet := chassistest.Start(t, wallet.Service(), chassistest.Options{})
//	till := chassistest.Start(t, Service(), chassistest.Options{Peers: map[string]*chassistest.Running{"wallet": wallet}})
//
// # Faults
//
// A service fails on purpose where [Options].Env has CHASSIS_FAULTS: by a delay, a code, a broken connection or a stream
// that ends in its middle, for the methods, callers and share of calls that its rules name. docs/faults.md lists them.
//
//	Env: map[string]string{"CHASSIS_FAULTS": `{"method": "*/Reserve", "ratio": 0.5, "abort": "UNAVAILABLE"}`}
//
// # What came out
//
// [Running.Logs], [Running.Spans], [Running.Metric] and [Running.Events] hold what the service has told so far. A call
// has left its line, its span and its measurement before its caller has the answer; only a plain HTTP or streamed
// REST request may leave those of the request itself a moment later.
//
// # Conformance
//
// [Conformance] checks the promises of the chassis against a service, in one line of its tests.
//
// # Rolling restarts
//
// [RollingRestart] replaces replicas of a service one after the other, on real ports, and names each call that is lost.
//
// # The end
//
// When the test ends, or earlier by [Running.Stop], the service is stopped as a signal would stop it. The test fails
// where that returns an error, and where goroutines are left that the service has started. Tests may run in parallel,
// and run several services.
package chassistest
