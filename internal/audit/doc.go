// Package audit keeps the audit log: who called what, what was decided about that, and why.
//
// It is no part of the log of package telemetry, and does not go through its pipeline: nothing samples it, no level
// silences it, nothing in it is masked, and it has a buffer of its own. Each [Record] is one line of JSON of bounded
// length, with a number that leaves no gap: a reader sees by the numbers what was lost. What a caller sends stands in it
// only where nothing else names what was called; contents of requests and values of headers never do.
//
// One goroutine writes the lines in their order. Lines that the sink does not take are kept, and tried again; where
// the buffer (1 MiB) is full, records are dropped and counted, and a record of its own tells how many. What that
// means for calls is chosen by Config.Refuse: they go on, or one that cannot be recorded before it runs does not run.
package audit
