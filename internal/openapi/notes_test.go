package openapi_test

import (
	"os"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// notes returns the services of testdata/notes as a binary has them that links the options of
// google.api: read twice, since the options' extensions are in the same set.
func notes(t testing.TB) []protoreflect.ServiceDescriptor {
	t.Helper()
	files := read(t, new(protoregistry.Types))
	types := new(protoregistry.Types)
	for _, name := range []protoreflect.FullName{"google.api.http", "google.api.field_behavior"} {
		d, err := files.FindDescriptorByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := types.RegisterExtension(dynamicpb.NewExtensionType(d.(protoreflect.ExtensionDescriptor))); err != nil {
			t.Fatal(err)
		}
	}
	return services(t, read(t, types))
}

func read(t testing.TB, types *protoregistry.Types) *protoregistry.Files {
	t.Helper()
	data, err := os.ReadFile("testdata/notes.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := (proto.UnmarshalOptions{Resolver: types}).Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func services(t testing.TB, files *protoregistry.Files) []protoreflect.ServiceDescriptor {
	t.Helper()
	fd, err := files.FindFileByPath("notes/v1/notes.proto")
	if err != nil {
		t.Fatal(err)
	}
	all := make([]protoreflect.ServiceDescriptor, fd.Services().Len())
	for i := range all {
		all[i] = fd.Services().Get(i)
	}
	return all
}

// ruled returns a service with one method, GetNote of a GetNoteRequest, whose google.api.http a
// test fills in.
func ruled(t testing.TB, fill func(rule protoreflect.Message)) protoreflect.ServiceDescriptor {
	t.Helper()
	files := read(t, new(protoregistry.Types))
	d, err := files.FindDescriptorByName("google.api.http")
	if err != nil {
		t.Fatal(err)
	}
	http := dynamicpb.NewExtensionType(d.(protoreflect.ExtensionDescriptor))
	rule := dynamicpb.NewMessage(http.TypeDescriptor().Message())
	fill(rule)
	options := new(descriptorpb.MethodOptions)
	proto.SetExtension(options, http, rule)
	fd, err := files.FindFileByPath("notes/v1/notes.proto")
	if err != nil {
		t.Fatal(err)
	}
	file := protodesc.ToFileDescriptorProto(fd)
	file.Service = []*descriptorpb.ServiceDescriptorProto{{
		Name: proto.String("Ruled"),
		Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("GetNote"), InputType: proto.String(".notes.v1.GetNoteRequest"),
			OutputType: proto.String(".notes.v1.Note"), Options: options,
		}},
	}}
	built, err := protodesc.NewFile(file, files)
	if err != nil {
		t.Fatal(err)
	}
	return built.Services().Get(0)
}
