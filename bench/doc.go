// Command bench measures what a call costs its server and its client: the chassis against bare
// grpc-go, in its defaults and with the stream workers that the chassis has, against the same
// features assembled by hand with and without them, and, for REST, against bare net/http. A few
// shapes of calls show what an echo hides: handlers that look at their context, requests with
// secrets, and calls that wait.
//
// Every contender is a process of its own, this same binary started again, so that what is counted
// is the contender's CPU and allocations and nothing else. The other side stays in the parent: the
// load generator, or the server that clients call. The contenders are bound to the first core and
// the parent to the second, where the system allows it.
//
// All contenders run in one go and take turns in short rounds, so that whatever else the machine
// does hits all alike. A figure is the median over the rounds; a ratio is made within each round,
// against the baseline of the same round.
//
//	go run .                      the tables: gRPC and REST servers, and clients
//	go run . -only 'grpc/mtls'    some of it (the baselines they are compared with come along)
//	go run . -markdown            the tables of docs/performance.md too
//	go run . -json                the same with every round, for other programs
//	go run . -stream-workers      whether grpc.NumStreamWorkers pays
//	go run . -stream-desc         what a unary method costs when it is registered as a stream
package main
