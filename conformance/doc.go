// Package conformance is the module that holds the chassis against what others have written: suites
// of tests for gRPC and HTTP/2, and grpc-gateway.
//
//   - differential: the same REST requests to the chassis and to grpc-gateway over grpc-go.
//   - interop: the interoperability tests of gRPC, both ways, without TLS and by mutual TLS.
//   - connect: Connect's conformance suite for the gRPC protocol, server and client.
//   - h2: h2spec, on the ports of gRPC and REST.
//
// Each runs the plain reference beside the chassis. What the reference passes and the chassis does
// not, or what differs, fails unless it is in the package's differences.txt, with a reason; an
// entry that is not needed any more fails too.
//
// make conformance runs everything and prints the counts. make test runs a short form: all requests
// that were written by hand, some generated ones, interop, and the parts of h2spec that do not
// wait.
package conformance
