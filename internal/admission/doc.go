// Package admission decides which calls run now, which wait a moment and which are refused, so that a service with more
// to do than it can goes on doing as much as it can.
//
// Two things bound the calls that run at once, and nobody has to keep either true by hand. The first is the processor:
// beyond two calls for each, a further one begins only while no more goroutines than processors stand in the scheduler's
// queue, which is where an overload of work that computes shows first. The second is a limit for work that waits, for
// connections of a pool or for another service. It is found by trial: under pressure less is tried, and kept while as
// many calls succeed; more is tried, and kept while more of them do. So it needs no unloaded time to compare with, and a
// dependency that has become slower does not look like an overload.
//
// What may not begin waits in a queue that is bounded in time. As long as the queue empties now and then, a call may
// wait nearly as long as its caller does: a burst into an idle service is served. When calls have stood in it for a
// tenth of a second, only those are let in that will wait for a hundredth: the rule is CoDel's, Nichols and Jacobson,
// "Controlling Queue Delay", ACM Queue 2012. In the queue the more critical call goes first, and among equals one of the
// caller that has the fewest running, so that one caller cannot starve the others.
package admission
