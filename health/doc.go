// Package health tells the world whether a service wants traffic, from named checks that run in the background.
//
// A [Monitor] runs every [Check] on its own goroutine, keeps the newest result and answers from it: no probe ever
// runs on the way of a request, so a thousand impatient pollers cost a database nothing. The answer is given three
// times from one state: as grpc.health.v1 ([Monitor.GRPC]), as plain HTTP ([Monitor.Livez], [Monitor.Readyz],
// [Monitor.Startupz]) and as a value for a page of one's own ([Monitor.Status]).
//
// # What makes a service ready
//
// A service is ready while its switch is on ([Monitor.SetServing]) and every hard check passes. The switch belongs to
// whoever starts and stops the service: off at first, on once it serves, off as soon as it drains. A soft check is
// shown and measured and takes nothing away. A check that passes can still be [Degraded]: it takes nothing away
// either, and says what is wrong.
//
// A check's first result counts at once. Later it takes FailAfter failures in a row to turn a passing check into a
// failing one and PassAfter passes to turn it back, so that one slow answer does not take a healthy replica out of
// rotation.
//
// # Probes that misbehave
//
// A probe gets a context that ends after Timeout. One that does not return by then fails its check, and is not run
// again until it has returned: a dependency that hangs costs one goroutine and not one per interval. A panic fails
// the check, is logged with its stack and counted. Neither touches the other checks.
//
// # Who sees what
//
// The text of a probe's error may hold addresses and names of users. It is in the log and in Status; no
// HTTP handler and no metric of this package has it.
package health
