// Package interop runs the interoperability tests of gRPC, which come with grpc-go, between the
// chassis and grpc-go: both as server and as client, without TLS and by mutual TLS, with grpc-go
// against itself beside them.
//
// Not run are the cases of credentials of Google's cloud, which need it, and orca_oob, whose server
// needs an internal package of grpc-go.
package interop
