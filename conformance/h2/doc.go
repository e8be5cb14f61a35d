// Package h2 runs h2spec, the conformance tests of HTTP/2, against the ports of the chassis and
// against grpc-go and net/http.
package h2
