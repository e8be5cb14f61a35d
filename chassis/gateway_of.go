package chassis

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// registerFunc is a function that protoc-gen-grpc-gateway generates for a service.
type registerFunc = func(context.Context, *gateway.ServeMux, *grpc.ClientConn) error

// checkGateway fails if register belongs to a service that is not registered or is listed in
// WithoutGateway.
func (a routeCheck) checkGateway(register registerFunc) error {
	function, service := gatewayOf(register)
	switch {
	case service == "":
		return nil
	case !a.names[service]:
		return fmt.Errorf("chassis: app.Gateway was called with %s, but gRPC service %s is not registered, so every REST call would fail: register the service, or remove its gateway",
			function, service)
	case slices.Contains(a.grpcOnly, service):
		return fmt.Errorf("chassis: app.Gateway was called with %s, and app.WithoutGateway with %s: remove one of them", function, service)
	default:
		return nil
	}
}

// gatewayOf returns the name of a function of protoc-gen-grpc-gateway and the full name of its
// service. It recognizes the function by its name and its package, which is the go_package of the
// service's proto. For other functions, such as wrappers, both results are empty.
func gatewayOf(register registerFunc) (function, service string) {
	path, function, ok := splitFunction(runtime.FuncForPC(reflect.ValueOf(register).Pointer()).Name())
	short, prefixed := strings.CutPrefix(function, "Register")
	short, suffixed := strings.CutSuffix(short, "Handler")
	if !ok || !prefixed || !suffixed {
		return "", ""
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if s := file.Services().ByName(protoreflect.Name(short)); s != nil && goPackage(file) == path {
			service = string(s.FullName())
		}
		return service == ""
	})
	return function, service
}

// splitFunction splits the runtime's name of a function into the import path of its package and
// its own name. The runtime escapes dots in the last element of the path.
func splitFunction(full string) (path, function string, ok bool) {
	slash := strings.LastIndexByte(full, '/') + 1
	last, function, ok := strings.Cut(full[slash:], ".")
	return full[:slash] + strings.ReplaceAll(last, "%2e", "."), function, ok
}

// goPackage returns the import path of the Go code of a proto.
func goPackage(file protoreflect.FileDescriptor) string {
	options, _ := file.Options().(*descriptorpb.FileOptions)
	path, _, _ := strings.Cut(options.GetGoPackage(), ";")
	return path
}
