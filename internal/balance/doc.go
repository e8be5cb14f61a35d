// Package balance is the load-balancing policy of the connections that Dial makes. It adds to gRPC's own
// weighted_round_robin (gRFC A58), which spreads calls by the load that servers report and evenly where they report
// none:
//
//   - every attempt of a call is counted, with what came of it, and so is every repetition;
//   - a replica that is proved to fail much more often than the others, or to be many times slower in the same methods,
//     gets next to no calls for a while, then few, and more as those went well. One that is slow and does not fail may be
//     merely cold, and gets the calls to warm up. gRPC's own outlier detection (gRFC A50), on which the first half is
//     modelled, is part of its xDS implementation and cannot be had without it.
//
// gRPC knows a policy by a name and has one of each for the whole process: this one is registered when the package is
// linked. What belongs to one connection, its [Peer], comes to the policy with the connection's credentials, which
// are the one thing of a dialler's choosing that gRPC hands on. A connection without a Peer is balanced all the same.
package balance
