// Package chassistest runs a service in memory for a test. It runs the same [chassis.Service]
// value as main, with real ports, mutual TLS, telemetry and shutdown, but without sockets, files
// and the environment of the process.
//
//	func TestHello(t *testing.T) {
//		svc := chassistest.Start(t, Service(), chassistest.Options{})
//		hello := hellov1.NewHelloServiceClient(svc.ConnAs("web"))
//		...
//	}
//
// # Callers
//
// [Running.ConnAs] returns a gRPC connection and [Running.HTTPAs] an HTTP client of a caller with
// a proven identity: a SPIFFE ID, or a name in the trust domain "test", which is also the
// service's. [Running.Conn] and [Running.HTTP] are those of the caller "client". An authority
// made for the test mints the certificates. Services that call each other share one by
// [Options].CA.
//
// A service reaches the services in [Options].Peers in memory, by mutual TLS, under the names
// that it dials:
//
//	wallet := chassistest.Start(t, wallet.Service(), chassistest.Options{})
//	till := chassistest.Start(t, Service(), chassistest.Options{
//		Peers: map[string]*chassistest.Running{"wallet": wallet},
//	})
//
// # Faults
//
// CHASSIS_FAULTS in [Options].Env injects faults: a delay, a code, a broken connection or a
// stream that ends early. Its rules select methods, callers and a share of calls. docs/faults.md
// lists them.
//
//	Env: map[string]string{
//		"CHASSIS_FAULTS": `{"method": "*/Reserve", "ratio": 0.5, "abort": "UNAVAILABLE"}`,
//	}
//
// # Logs, spans, metrics and events
//
// [Running.Logs], [Running.Spans], [Running.Metric] and [Running.Events] return what the service
// has recorded so far. The records of a call are complete before its caller has the answer. Those
// of a plain HTTP request or a streamed REST request may follow a moment later.
//
// # Conformance
//
// [Conformance] checks the promises of the chassis for a service, in one line of its tests.
//
// # Rolling restarts
//
// [RollingRestart] replaces replicas of a service one after the other, on real ports, and reports
// each lost call.
//
// # The end
//
// At the end of the test, or earlier by [Running.Stop], the service is stopped as by a signal.
// The test fails if that returns an error or if goroutines of the service are left. Tests may run
// in parallel and may run several services.
package chassistest
