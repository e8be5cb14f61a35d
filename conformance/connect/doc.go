// Package connect runs the conformance suite of Connect for the gRPC protocol, against a server of
// the chassis and against the client that App.Dial returns, with grpc-go beside both.
//
// The suite is a dependency. What it tests are programs that implement its service, and the
// generated code of that service is internal to it. So the test copies the module into a temporary
// folder, adds the files of testdata, which put the chassis in the place of grpc-go's server and
// client, and builds that.
package connect
