package echo

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// What generated code does for its file: the descriptor is in the registry where the chassis
// looks for declarations. Anyone may call echo, so that a test of something else needs no
// identity.
var _ = register()

func register() bool {
	options := &descriptorpb.ServiceOptions{}
	proto.SetExtension(options, paddockv1.E_Service, &paddockv1.Policy{Public: proto.Bool(true)})
	text := proto.String(".google.protobuf.StringValue")
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("test/v1/echo.proto"), Package: proto.String("test.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto", "paddock/v1/options.proto"},
		EnumType:   []*descriptorpb.EnumDescriptorProto{reasons()},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("EchoService"), Options: options,
			Method: []*descriptorpb.MethodDescriptorProto{
				{Name: proto.String("Say"), InputType: text, OutputType: text},
				{Name: proto.String("List"), InputType: text, OutputType: text, ServerStreaming: proto.Bool(true)},
			},
		}},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		panic(err)
	}
	return true
}
