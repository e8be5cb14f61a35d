package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/betmakers/paddock/chassis"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// registerTwins adds two public methods, attack.v1.Marked/Put and attack.v1.Plain/Put. They are the
// same, but that fields of the first one's request are marked debug_redact. Both refuse in words
// that repeat the first field.
func registerTwins(app *chassis.App) error {
	for name, marked := range map[string]bool{"Marked": true, "Plain": false} {
		file, err := protodesc.NewFile(twin(name, marked), protoregistry.GlobalFiles)
		if err != nil {
			return err
		}
		if err := protoregistry.GlobalFiles.RegisterFile(file); err != nil {
			return err
		}
		app.RegisterService(serviceOf(file.Services().Get(0), app), nil)
	}
	return nil
}

func twin(name string, marked bool) *descriptorpb.FileDescriptorProto {
	policy := &descriptorpb.MethodOptions{}
	proto.SetExtension(policy, paddockv1.E_Method, &paddockv1.Policy{Public: proto.Bool(true)})
	text, one, many := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	mark := &descriptorpb.FieldOptions{DebugRedact: proto.Bool(marked)}
	return &descriptorpb.FileDescriptorProto{
		Name: proto.String("attack/v1/" + name + ".proto"), Package: proto.String("attack.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String(name + "Request"), Field: []*descriptorpb.FieldDescriptorProto{
			{Name: proto.String("how"), Number: proto.Int32(1), Type: text, Label: one.Enum()},
			{Name: proto.String("entries"), Number: proto.Int32(2), Type: text, Label: many.Enum(), Options: mark},
		}}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String(name), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Put"), InputType: proto.String(".attack.v1." + name + "Request"),
			OutputType: proto.String(".attack.v1." + name + "Request"), Options: policy,
		}}}},
	}
}

func serviceOf(d protoreflect.ServiceDescriptor, app *chassis.App) *grpc.ServiceDesc {
	method, log := d.Methods().Get(0), app.Logger()
	return &grpc.ServiceDesc{ServiceName: string(d.FullName()), Metadata: d.ParentFile().Path(), HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: string(method.Name()),
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := dynamicpb.NewMessage(method.Input())
			if err := decode(in); err != nil {
				return nil, err
			}
			how := in.Get(method.Input().Fields().ByName("how")).String()
			log.InfoContext(ctx, "put", "how", how)
			return nil, status.Error(codes.InvalidArgument, "no such thing: "+how)
		},
	}}}
}
