// Package admission decides which calls run, wait or are refused in an overload, so that an
// overloaded service keeps working at its capacity. It does not affect a service that is merely
// slow.
//
// There are two reasons to hold a call back. Both are queues inside this process. The duration of
// calls is not used, because it includes the time that they wait for other services.
//
//   - [Limiter] watches the queue of Go's scheduler. While every look for [standing] finds
//     goroutines waiting for a processor, calls are held back and admitted as processors become
//     free.
//   - [Resource] is a limited thing that the service has declared, such as a pool of connections.
//     Calls wait for it in a line here and not in the pool.
//
// Calls that are held back wait in a line until their callers give up. A burst, callers who wait
// for each answer, and a line caused by a slow machine can all still be served. If calls expire
// in the line because their turn never came, or if the line only grows for [endless], it is an
// overload. Then a call waits only if its turn comes within [shortWait], and is otherwise refused
// at once.
//
// The rule is that of CoDel (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 2012).
// The signal is that of DAGOR (Zhou et al., "Overload Control for Scaling WeChat Microservices",
// SoCC 2018): time in queues of this process. Time in which the process did not run, for lack of
// a processor or in a debugger, is not counted.
//
// The more critical call goes first. Among equally critical calls, the share with the fewest
// running calls goes first, so that no caller and no method starves the others.
package admission
