// Command overload measures what admission does to a service: to one that has enough of everything,
// and to one that gets three times the calls that it can serve. It prints a table of each, with
// CHASSIS_ADMISSION on, report and off beside each other.
//
//	go run ./overload                         both tables: half an hour
//	go run ./overload -shape honest           the first, or overload for the second
//	go run ./overload -shape stops,cpu        single shapes
//	go run ./overload -honest 4s -lasts 6s    shorter
//	go run ./overload -timeline               what became of the calls of each half second of an overload, too
//	go run ./overload -admission on           one column; default leaves CHASSIS_ADMISSION as it is
//
//	go run ./overload -soak 20m               neither: all honest shapes mixed, for so long
//
// The service is a process of its own, this same binary started again, with mutual TLS and the
// settings of production. Calls start on a schedule that waits for no answer, as those of many
// independent users do. Time counts from the scheduled start.
//
// # Honest shapes
//
// The service may use the whole machine. A call says how long its handler waits and computes. Two
// callers send:
//
//	polls            long polls that end without news, half by their deadline of 2 s, half after 2 s; and 5 short calls a second
//	many-polls       500 long polls at once, as long as half of the shape and at most 30 s; and 100 calls a second of 5 ms
//	waits            600 calls a second that wait, 70 % for 1 ms and 30 % for 1 s
//	waits-rest       the same by REST, 200 a second
//	half-2s          300 calls a second, half of 1 ms and half of 2 s
//	rare-10s         500 calls a second, one in a hundred of 10 s; rare-10s-methods: of two methods
//	stops            400 calls a second of 40 ms, and the process stands still for .5 or 1 s now and then
//	dependency       300 calls a second of 5 ms, then of 500 ms, then without end until their deadline of 2 s, then of 5 ms
//	hopeless         800 calls a second that have 20 ms and take 50 ms; another caller's 150 a second
//	deploy           100 calls a second that wait and compute ten times longer at first
//	bursts           500 calls at once every 2 s; another caller's 50 a second
//	denied           1000 calls a second that authorization refuses, 1000 that validation does, and 100 others
//	neighbour        200 calls a second of 5 ms, and another process that takes the processors for some 100 ms now and then
//	worker           100 calls a second of 20 ms, and 8 goroutines of the service that compute all the time
//
// No call is to be refused, and none lost: to end otherwise than it asked for. The time before
// handlers counts from a call's arrival in the chassis to the beginning of its handler; for it
// every call is traced. What calls have been held back is the service's own metric. Answers are
// compared with what their calls asked for, the rest being the machine's doing.
//
// # Soak
//
// Two replicas get the honest shapes together, by gRPC in turns and by REST where a load balancer
// would send it. A neighbour takes the processors half of the time, a replica stands still every 20
// s, certificates are renewed every 30 s, and the replicas are restarted one after the other,
// twice. The program fails if a call is refused or lost. Memory and goroutines are printed every 15
// s.
//
// # Overload
//
// The service is bound to one core, and the generator to another. All methods do the same work:
//
//	pool          waits for one of ten places of a declared resource, and holds it for 10 ms
//	cpu           computes for 2 ms
//	mixed         computes for 2 ms, each tenth time for 50 ms
//	stream        a stream: computes for 5 ms, and sends three messages with 1 ms of computing after each
//	rest          cpu by REST over HTTP/2; rest-http1: over connections of HTTP/1.1
//	methods       cpu, and a second method that gets 5 % of the peak
//
// First the peak is measured in a closed loop. Then come three times as many calls, with a deadline
// of 250 ms, then half as many, to see how the service recovers. Two callers send them, one of them
// nine in ten. Probes run all the while, as the kubelet sends them. At last 200 calls at once meet
// a fresh process.
//
// What other processes on the machine did to the figures stands in the last columns and lines: if
// the service waited for its processors, or the generator was late, measure again when it is
// quieter. Calls served for each second of CPU, the share of the works begun that were of use, and
// that of the critical calls for which there was room, hold on a busy machine too. The tests assert
// those.
//
// Other settings of the chassis are taken from the environment.
package main
