// Package audit writes the audit log: each caller, its call, the decision about it, and the
// reason.
//
// The audit log is separate from the log of package telemetry. It is never sampled, filtered by
// level or masked, and has its own buffer. Each [Record] is one line of JSON of bounded length.
// Records are numbered without gaps, so that a reader can detect lost ones. Text of a caller is
// recorded only if no other name for the call exists; contents of requests and values of headers
// never are.
//
// One goroutine writes the lines in their order. Lines that the sink rejects are kept and tried
// again. If the buffer (1 MiB) is full, records are dropped and counted, and a separate record
// has their number. Config.Refuse decides what happens to calls then: they go on, or a call that
// cannot be recorded before it runs does not run.
package audit
