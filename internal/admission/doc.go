// Package admission decides which calls run now, which wait and which are refused, so that a service with more to do
// than it can goes on doing as much as it can, and a service that is merely slow is left alone.
//
// A call is held back for one of two reasons, and both are a queue that stands in this process. How long calls take
// says nothing: it contains what they wait for.
//
//   - [Limiter] watches the queue of Go's scheduler. While goroutines wait for a processor at every look for [standing], calls
//     are held back and let in as processors become free.
//   - [Resource] is a bounded thing that the service has declared, such as a pool of connections. Its users wait in line here
//     and not in the pool.
//
// Calls that are held back wait in a line, as long as their callers do: a burst, callers who wait for each answer, a
// line that a slow machine has made can all still be served. If calls die in the line for want of a turn, or it only
// grows for [endless], it is an overload: then a call waits only if its turn comes within [shortWait], and is refused
// at once if not. The rule is that of CoDel (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 2012), the
// signal that of DAGOR (Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC 2018): time spent in
// queues of this process. Time in which the process stood still, for want of a processor or in a debugger, counts
// neither way.
//
// In a line the more critical call goes first. Among equals the share goes first that has the fewest calls running,
// so that neither one caller nor one method starves the others.
package admission
