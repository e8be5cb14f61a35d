// Package health reports whether a service is ready for traffic, from named checks that run in
// the background.
//
// A [Monitor] runs every [Check] on its own goroutine and answers from the newest results.
// Requests never run a probe, so frequent polling costs a dependency nothing. The same state is
// available in three forms:
//
//   - as grpc.health.v1: [Monitor.GRPC]
//   - as plain HTTP: [Monitor.Livez], [Monitor.Readyz], [Monitor.Startupz]
//   - as a value for other pages: [Monitor.Status]
//
// # Readiness
//
// A service is ready while its switch is on ([Monitor.SetServing]) and every hard check passes.
// The code that starts and stops the service owns the switch: it is off at first, on once the
// service serves, and off when it drains. A soft check is shown and measured but does not affect
// readiness. Neither does a passing check that is [Degraded].
//
// The first result of a check counts at once. Later, FailAfter consecutive failures turn a
// passing check into a failing one, and PassAfter consecutive passes turn it back. So a single
// slow answer does not take a healthy replica out of rotation.
//
// # Probes that misbehave
//
// The context of a probe ends after Timeout. A probe that has not returned by then fails its
// check, and is not called again until it has returned. So a dependency that hangs costs one
// goroutine in total. A panic fails the check, is logged with its stack and is counted. Other
// checks are not affected.
//
// # Errors of probes
//
// A probe's error may contain addresses and user names. It appears in the log and in Status, and
// in no HTTP answer and no metric of this package.
package health
