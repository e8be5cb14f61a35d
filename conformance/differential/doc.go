// Package differential sends the same requests to a service of the chassis and to a plain
// grpc-gateway in front of a plain grpc-go server, and compares the answers and what the handlers
// have received.
//
// Both serve one implementation of shapes.v1, which has every shape of message, route and stream.
// The requests are a table written by hand, generated ones from a seed, and those of the fuzz
// targets. Each difference must match an entry of differences.txt, with its reason; and each entry
// must be needed by the table.
package differential
