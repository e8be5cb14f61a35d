// Command bench measures what a call costs its server and its client: the chassis against bare grpc-go, against the same
// features assembled by hand, and, for REST, against bare net/http.
//
// Every contender is a process of its own, this same binary started again, so that what is counted is the contender's CPU
// and allocations and nothing else. The other side stays in the parent: the load generator, or the server that clients
// call. The contenders are bound to the first core and the parent to the second, where the system allows it.
//
// All contenders run in one go and take turns in short rounds, so that whatever else the machine does hits all alike.
// A figure is the median over the rounds; a ratio is made within each round, against the baseline of the same round.
//
//	go run .                      the tables: gRPC and REST servers, and clients
//	go run . -only 'grpc/mtls'    some of it (the baselines they are compared with come along)
//	go run . -json                the same with every round, for other programs
//	go run . -stream-workers      whether grpc.NumStreamWorkers pays
//	go run . -stream-desc         what a unary method costs when it is registered as a stream
package main
