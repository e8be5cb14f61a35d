// Package balance is the load-balancing policy of the connections that Dial makes. It extends
// gRPC's weighted_round_robin (gRFC A58), which distributes calls by the load that servers
// report, and evenly without reports:
//
//   - Every attempt of a call is counted with its result, and every retry.
//   - A replica that provably fails much more often than the others, or is many times slower in
//     the same methods, gets almost no calls for a while. Then it gets few, and more if those
//     went well. A slow replica that does not fail may only be cold, and gets calls to warm up.
//     The first part is modelled on gRPC's outlier detection (gRFC A50), which is a part of its
//     xDS implementation and cannot be used separately.
//
// gRPC identifies a policy by name and has one of each name for the whole process. This one is
// registered when the package is linked. The state of one connection, its [Peer], reaches the
// policy in the connection's credentials, because they are the only value of the dialling code
// that gRPC passes on. Connections without a Peer are balanced too.
package balance
