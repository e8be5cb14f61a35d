package chassis_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// twins are two public methods of one kind, whose requests are the same but for their marks.
type twins struct {
	marked, plain protoreflect.ServiceDescriptor
}

// newTwins makes them of the vault, whose requests have a mark of every kind.
var newTwins = sync.OnceValues(func() (twins, error) {
	marked, err := twin("marked.v1", func(*descriptorpb.FieldOptions) {})
	if err != nil {
		return twins{}, err
	}
	plain, err := twin("plain.v1", func(o *descriptorpb.FieldOptions) { o.DebugRedact = nil })
	return twins{marked, plain}, err
})

func twin(name string, change func(*descriptorpb.FieldOptions)) (protoreflect.ServiceDescriptor, error) {
	p := protodesc.ToFileDescriptorProto(vaultv1.File_vault_v1_vault_proto)
	p.Name, p.Package, p.Options = proto.String(name+".proto"), proto.String(name), nil
	var rename func(*descriptorpb.DescriptorProto)
	rename = func(m *descriptorpb.DescriptorProto) {
		for _, f := range m.GetField() {
			if f.TypeName != nil {
				f.TypeName = proto.String(strings.Replace(f.GetTypeName(), ".vault.v1.", "."+name+".", 1))
			}
			if f.GetOptions() != nil {
				change(f.GetOptions())
			}
		}
		for _, inner := range m.GetNestedType() {
			rename(inner)
		}
	}
	for _, m := range p.GetMessageType() {
		rename(m)
	}
	service := p.GetService()[0]
	service.Method = service.GetMethod()[:1] // Store
	service.Method[0].InputType, service.Method[0].OutputType = proto.String("."+name+".StoreRequest"), proto.String("."+name+".StoreResponse")
	options := &descriptorpb.MethodOptions{}
	proto.SetExtension(options, paddockv1.E_Method, &paddockv1.Policy{Public: proto.Bool(true)})
	service.Method[0].Options = options
	file, err := protodesc.NewFile(p, protoregistry.GlobalFiles)
	if err != nil {
		return nil, err
	}
	return file.Services().Get(0), protoregistry.GlobalFiles.RegisterFile(file)
}

// serviceOf answers Store as services do: it logs with the context of the call, and refuses in
// words of its own.
func serviceOf(d protoreflect.ServiceDescriptor, log *slog.Logger) *grpc.ServiceDesc {
	method := d.Methods().Get(0)
	return &grpc.ServiceDesc{ServiceName: string(d.FullName()), Metadata: d.ParentFile().Path(), HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: string(method.Name()),
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := dynamicpb.NewMessage(method.Input())
			if err := decode(in); err != nil {
				return nil, err
			}
			how := in.Get(method.Input().Fields().ByName("how")).String()
			log.InfoContext(ctx, "stored", "what", how)
			if strings.HasPrefix(how, "log") {
				log.InfoContext(ctx, "stored", "request", in)
			}
			return nil, status.Error(codes.InvalidArgument, "no such thing: "+how)
		},
	}}}
}

// bodies are requests that made redaction work, each as both twins get it.
func bodies() map[string]*vaultv1.StoreRequest {
	const megabytes = 4<<20 - 16<<10
	entries := func(n int, format string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(format, i))
		}
		return list
	}
	parts := []string{"[RED", "ACTE", "D][R", "EDAC", "TED]", "[REDACTED]", "REDACTED", "][RE", "CTED][", "DACTED", "thing", "such", "no s"}
	pairs := map[string]string{}
	for _, key := range entries(5_000, "%05x") {
		pairs[key] = key
	}
	words := strings.Repeat("no such thing [REDACTED] ", 300)
	return map[string]*vaultv1.StoreRequest{
		"4 MB of text":                   {How: words, Card: strings.Repeat("secret word ", megabytes/12)},
		"4 MB of text to be escaped":     {How: words, Load: &vaultv1.Secrets{Text: strings.Repeat("\x01\x02\"<", megabytes/4)}},
		"4 MB of bytes":                  {How: words, Load: &vaultv1.Secrets{Raw: make([]byte, megabytes)}},
		"300 secrets":                    {How: words, Load: &vaultv1.Secrets{List: entries(300, "a secret that is longer than others, number %d")}},
		"masks as secrets":               {How: words, Load: &vaultv1.Secrets{List: parts}},
		"20,000 entries":                 {How: words, Load: &vaultv1.Secrets{List: entries(20_000, "%05x")}},
		"5,000 pairs":                    {How: words, Load: &vaultv1.Secrets{Pairs: pairs}},
		"20,000 entries that are logged": {How: "log", Load: &vaultv1.Secrets{List: entries(20_000, "%05x")}},
	}
}

// allocated returns how many bytes the process has allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// startTwins starts a service with both methods, and returns how to call each.
func startTwins(tb testing.TB) (marked, plain func(context.Context, proto.Message) error) {
	tb.Helper()
	both, err := newTwins()
	if err != nil {
		tb.Fatal(err)
	}
	svc := chassistest.Start(tb, chassis.Service{Name: "twins", Setup: func(_ context.Context, app *chassis.App) error {
		for _, d := range []protoreflect.ServiceDescriptor{both.marked, both.plain} {
			app.RegisterService(serviceOf(d, app.Logger()), nil)
		}
		return nil
	}}, chassistest.Options{Env: env{"CHASSIS_LOG_FORMAT": "json"}})
	conn := svc.Conn()
	call := func(d protoreflect.ServiceDescriptor) func(context.Context, proto.Message) error {
		return func(ctx context.Context, in proto.Message) error {
			return conn.Invoke(ctx, "/"+string(d.FullName())+"/Store", in, dynamicpb.NewMessage(d.Methods().Get(0).Output()))
		}
	}
	return call(both.marked), call(both.plain)
}

// A caller pays for no more work with a field that is marked than with one that is not, whatever it
// puts there.
func TestMarksCostNothing(t *testing.T) {
	marked, plain := startTwins(t)
	for name, body := range bodies() {
		t.Run(name, func(t *testing.T) {
			cost := func(call func(context.Context, proto.Message) error) uint64 {
				before := allocated()
				if err := call(t.Context(), body); status.Convert(err).Message() != "no such thing: "+body.GetHow() {
					t.Fatalf("answered %.100v", err)
				}
				return allocated() - before
			}
			with, without := ^uint64(0), ^uint64(0)
			for i := range 12 { // the first fills pools, which the race detector empties now and then
				with, without = min(with, cost(marked)), min(without, cost(plain))
				if i > 0 && with <= without+without/2+128<<10 {
					return
				}
			}
			t.Errorf("%d KiB allocated, and %d without marks: want at most 1.5 times as much", with>>10, without>>10)
		})
	}
}

// BenchmarkMarks compares the two in time.
func BenchmarkMarks(b *testing.B) {
	marked, plain := startTwins(b)
	for name, body := range bodies() {
		for _, way := range []struct {
			name string
			call func(context.Context, proto.Message) error
		}{{"marked", marked}, {"plain", plain}} {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_ = way.call(b.Context(), body)
				}
			})
		}
	}
}

// A stream keeps nothing of what went through its marked fields.
func TestStreamsKeepNoSecrets(t *testing.T) {
	svc := chassistest.Start(t, vaultService(), chassistest.Options{})
	upload, err := vaultv1.NewVaultServiceClient(svc.ConnAs("keeper")).Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	send := func(n int) {
		for i := range n {
			raw := bytes.Repeat([]byte{byte(n), byte(i)}, 1<<19) // none is like another
			if err := upload.Send(&vaultv1.UploadRequest{Load: &vaultv1.Secrets{Raw: raw}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(4)
	before := heap()
	send(32)
	if grown := int64(heap()) - int64(before); grown > 12<<20 {
		t.Errorf("32 messages of 1 MiB leave %d MiB", grown>>20)
	}
	if _, err := upload.CloseAndRecv(); err != nil {
		t.Fatal(err)
	}
}

// A cookie costs what another header of its length costs, with or without an identity.
func TestCredentialsCostNothing(t *testing.T) {
	marked, _ := startTwins(t)
	cookie := strings.TrimSuffix(strings.Repeat("a=[REDACTED]; b=REDACTED; c=ACTED][R; d=such thing; ", 60), "; ")
	cost := func(header string) uint64 {
		ctx := metadata.AppendToOutgoingContext(t.Context(), header, cookie)
		least := ^uint64(0)
		for range 4 {
			before := allocated()
			err := marked(ctx, &vaultv1.StoreRequest{How: strings.Repeat("thing ", 1000)})
			if !strings.HasPrefix(status.Convert(err).Message(), "no such thing: thing thing ") {
				t.Fatalf("answered %.100v", err)
			}
			least = min(least, allocated()-before)
		}
		return least
	}
	if with, without := cost("cookie"), cost("biscuit"); with > without+without/2+64<<10 {
		t.Errorf("%d KiB allocated, and %d with another header", with>>10, without>>10)
	}
}
