package contract_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/betmakers/paddock/internal/contract"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// marked returns a field with (paddock.v1.event_id).
func marked(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, more ...func(*descriptorpb.FieldDescriptorProto)) *descriptorpb.FieldDescriptorProto {
	options := &descriptorpb.FieldOptions{}
	proto.SetExtension(options, paddockv1.E_EventId, true)
	f := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(), Options: options,
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	for _, change := range more {
		change(f)
	}
	return f
}

// watch links a service whose method Watch has those fields on both sides, as a stream or not.
func watch(t *testing.T, streams bool, request, answer []*descriptorpb.FieldDescriptorProto) *grpc.ServiceDesc {
	t.Helper()
	pkg := fmt.Sprintf("contracttest%d", files.Add(1))
	desc := describe(pkg+".Bets", rpc{name: "Watch", serverStreams: streams})
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Syntax: proto.String("proto3"), Name: proto.String(fileOf(desc)), Package: proto.String(pkg),
		Dependency:  []string{"paddock/v1/options.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Request"), Field: request}, {Name: proto.String("Answer"), Field: answer}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Bets"), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Watch"), InputType: proto.String("." + pkg + ".Request"), OutputType: proto.String("." + pkg + ".Answer"),
			ServerStreaming: proto.Bool(streams),
		}}}},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

func TestEventIDs(t *testing.T) {
	type fields = []*descriptorpb.FieldDescriptorProto
	repeated := func(f *descriptorpb.FieldDescriptorProto) {
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	const (
		text   = descriptorpb.FieldDescriptorProto_TYPE_STRING
		number = descriptorpb.FieldDescriptorProto_TYPE_UINT64
		float  = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
		yesno  = descriptorpb.FieldDescriptorProto_TYPE_BOOL
		raw    = descriptorpb.FieldDescriptorProto_TYPE_BYTES
	)
	for name, test := range map[string]struct {
		request, answer fields
		want            string // of the error
	}{
		"none":                {nil, nil, ""},
		"both":                {fields{marked("after", 1, text)}, fields{marked("number", 1, number)}, ""},
		"two":                 {nil, fields{marked("a", 1, text), marked("b", 2, text)}, "Answer.b: option (paddock.v1.event_id) is set on a too"},
		"repeated":            {fields{marked("a", 1, text, repeated)}, nil, "Request.a: option (paddock.v1.event_id) is for a string"},
		"a double":            {nil, fields{marked("a", 1, float)}, "this field is optional double"},
		"a bool":              {nil, fields{marked("a", 1, yesno)}, "this field is optional bool"},
		"bytes":               {nil, fields{marked("a", 1, raw)}, "this field is optional bytes"},
		"both sides are told": {fields{marked("a", 1, yesno)}, fields{marked("a", 1, raw)}, "Request.a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, streams, err := contract.Compile(watch(t, true, test.request, test.answer), contract.Defaults{})
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "/bets.proto: ") {
					t.Fatalf("got %v, want an error with %q and the file", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e := streams[0].Events; (e.ID != nil) != (test.answer != nil) || (e.After != nil) != (test.request != nil) || e.Raw {
				t.Errorf("got %+v", e)
			}
			unary, _, err := contract.Compile(watch(t, false, test.request, test.answer), contract.Defaults{})
			if err != nil || unary[0].Events != (contract.Events{}) {
				t.Errorf("a unary method has no events, and got %+v, %v", unary[0].Events, err)
			}
		})
	}
}
