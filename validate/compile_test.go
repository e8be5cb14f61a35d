package validate_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	rules "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	"github.com/betmakers/paddock/validate"
)

// A rule that makes no sense ends the start. The message is registered for good, so that the test
// runs in a process of its own.
func TestRuleThatCannotBeCompiled(t *testing.T) {
	if inProcessOfItsOwn(t) {
		return
	}
	registerBroken(t)
	_, err := validate.New()
	for _, want := range []string{"broken/v1/broken.proto", "broken.v1.Broken", "validate: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Must has returned, want a panic")
		}
	}()
	validate.Must()
}

func registerBroken(t *testing.T) {
	t.Helper()
	options := &descriptorpb.MessageOptions{}
	rule := rules.Rule_builder{Id: proto.String("broken"), Expression: proto.String("this.nothing > 1")}.Build()
	proto.SetExtension(options, rules.E_Message, rules.MessageRules_builder{Cel: []*rules.Rule{rule}}.Build())
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("broken/v1/broken.proto"), Package: proto.String("broken.v1"), Syntax: proto.String("proto3"),
		Dependency:  []string{"buf/validate/validate.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Broken"), Options: options}},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err == nil {
		err = protoregistry.GlobalTypes.RegisterMessage(dynamicpb.NewMessageType(file.Messages().Get(0)))
	}
	if err != nil {
		t.Fatal(err)
	}
}
