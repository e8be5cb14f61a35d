// Package xds shows a service that finds another one through an xDS control plane:
// CHASSIS_<NAME>_TARGET=xds:///name, and one import in the program,
//
//	import _ "google.golang.org/grpc/xds"
//
// which adds some five megabytes to the binary. GRPC_XDS_BOOTSTRAP names the file that says where
// the control plane is. Endpoints, routes and balancing then come from the control plane; whom to
// trust does not: Dial goes on taking no other answer than one of the service it names.
//
// The control plane has the policy of Dial, with its metrics and its care for failing and slow
// replicas, where it names it: a load_balancing_policy of type xds.type.v3.TypedStruct with the
// type_url type.googleapis.com/paddock.
package xds
