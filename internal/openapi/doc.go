// Package openapi describes a service's REST interface from what is linked into the binary anyway:
// its descriptors.
//
// [Routes] lists what google.api.http declares, [Document] makes an OpenAPI 3.1 document of it, and
// [Handler] serves that document with a page to read and try it. Nothing is generated beforehand,
// so nothing can be out of date.
//
// The document says what grpc-gateway v2 does with its standard marshaler: names and values as the
// JSON mapping of proto3 has them, query parameters for fields that are neither in the path nor in
// the body, and server streams as one JSON object a line. Comments of the .proto become
// descriptions where protoc-gen-comments has put them into the binary.
//
// The options are read by reflection, under their names, so that this package needs none of the
// generated Go code of google.api. A service whose code does not link them has no routes.
package openapi
