package contract_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/known/emptypb" // what the methods take and return

	"github.com/betmakers/paddock/internal/contract"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// rpc is a method of a service under test. The zero shape is unary.
type rpc struct {
	name                         string
	clientStreams, serverStreams bool
	policy                       string // what the option holds, as it stands in a proto; empty for no option
	idempotency                  descriptorpb.MethodOptions_IdempotencyLevel
	deprecated                   bool
}

// files counts the registered files: the registry is the process's, and forgets none.
var files atomic.Int64

// fileOf is the path of the file that declares a service made by declare.
func fileOf(desc *grpc.ServiceDesc) string {
	pkg, _, _ := strings.Cut(desc.ServiceName, ".")
	return pkg + "/bets.proto"
}

// declare links a service into the binary and returns it as generated code would. An empty defaults
// is no option.
func declare(t testing.TB, defaults string, methods ...rpc) *grpc.ServiceDesc {
	t.Helper()
	pkg := fmt.Sprintf("contracttest%d", files.Add(1))
	service := &descriptorpb.ServiceDescriptorProto{Name: proto.String("Bets")}
	if defaults != "" {
		options := &descriptorpb.ServiceOptions{}
		proto.SetExtension(options, paddockv1.E_Service, policy(t, defaults))
		service.Options = options
	}
	for _, m := range methods {
		service.Method = append(service.Method, m.descriptor(t))
	}
	desc := describe(pkg+".Bets", methods...)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Syntax:     proto.String("proto3"),
		Name:       proto.String(fileOf(desc)),
		Package:    proto.String(pkg),
		Dependency: []string{"google/protobuf/empty.proto", "paddock/v1/options.proto"},
		Service:    []*descriptorpb.ServiceDescriptorProto{service},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	if err := protoregistry.GlobalFiles.RegisterFile(file); err != nil {
		t.Fatal(err)
	}
	return desc
}

func (m rpc) descriptor(t testing.TB) *descriptorpb.MethodDescriptorProto {
	t.Helper()
	options := &descriptorpb.MethodOptions{}
	if m.idempotency != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN {
		options.IdempotencyLevel = m.idempotency.Enum()
	}
	if m.deprecated {
		options.Deprecated = proto.Bool(true)
	}
	if m.policy != "" {
		proto.SetExtension(options, paddockv1.E_Method, policy(t, m.policy))
	}
	return &descriptorpb.MethodDescriptorProto{
		Name:            proto.String(m.name),
		InputType:       proto.String(".google.protobuf.Empty"),
		OutputType:      proto.String(".google.protobuf.Empty"),
		ClientStreaming: proto.Bool(m.clientStreams),
		ServerStreaming: proto.Bool(m.serverStreams),
		Options:         options,
	}
}

// describe is what generated code registers; on its own it is a service without descriptors.
func describe(service string, methods ...rpc) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: service}
	for _, m := range methods {
		if m.clientStreams || m.serverStreams {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{StreamName: m.name, ClientStreams: m.clientStreams, ServerStreams: m.serverStreams})
		} else {
			desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: m.name})
		}
	}
	return desc
}

// policy reads a policy as it stands in a proto.
func policy(t testing.TB, text string) *paddockv1.Policy {
	t.Helper()
	p := &paddockv1.Policy{}
	if err := prototext.Unmarshal([]byte(text), p); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// one compiles a service of one method and returns its record.
func one(t testing.TB, desc *grpc.ServiceDesc, defaults contract.Defaults) *contract.Method {
	t.Helper()
	unary, streams, err := contract.Compile(desc, defaults)
	if err != nil {
		t.Fatal(err)
	}
	all := append(unary, streams...)
	if len(all) != 1 {
		t.Fatalf("compiled %d methods, want 1", len(all))
	}
	return all[0]
}

func patterns(t testing.TB, texts ...string) []contract.Pattern {
	t.Helper()
	var all []contract.Pattern
	for _, text := range texts {
		p, err := contract.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// lines returns the single errors that were reported together.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// placed puts file and name of a service where text has FILE and SERVICE.
func placed(desc *grpc.ServiceDesc, text string) string {
	return strings.NewReplacer("FILE", fileOf(desc), "SERVICE", desc.ServiceName).Replace(text)
}

func compileErr(desc *grpc.ServiceDesc, overrides contract.Overrides) error {
	_, _, err := contract.Compile(desc, contract.Defaults{Overrides: overrides})
	return err
}
