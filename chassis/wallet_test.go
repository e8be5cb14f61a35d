package chassis_test

import (
	"context"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// The service that others dial in these tests, with a method of each kind of contract.
const (
	getMethod    = "/wallet.v1.WalletService/Get"    // has no side effects, and two seconds
	chargeMethod = "/wallet.v1.WalletService/Charge" // declares nothing
	quoteMethod  = "/wallet.v1.WalletService/Quote"  // is hedged after 20 ms
)

// wallet answers each call with answer, and counts them.
type wallet struct {
	calls  atomic.Int32
	answer func(ctx context.Context, text string) (string, error) // nil: what was sent
}

var walletDesc = grpc.ServiceDesc{
	ServiceName: "wallet.v1.WalletService", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Get", Handler: serveWallet}, {MethodName: "Charge", Handler: serveWallet}, {MethodName: "Quote", Handler: serveWallet}},
}

func serveWallet(impl any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // the generators' order
	in, w := new(echo.Text), impl.(*wallet)
	if err := read(in); err != nil {
		return nil, err
	}
	w.calls.Add(1)
	if w.answer == nil {
		return in, nil
	}
	text, err := w.answer(ctx, in.GetValue())
	if err != nil {
		return nil, err
	}
	return wrapperspb.String(text), nil
}

var _ = func() bool {
	options, service := &descriptorpb.MethodOptions{}, &descriptorpb.ServiceOptions{}
	options.IdempotencyLevel = descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()
	proto.SetExtension(options, paddockv1.E_Method, &paddockv1.Policy{Timeout: &durationpb.Duration{Seconds: 2}})
	hedged := &descriptorpb.MethodOptions{}
	proto.SetExtension(hedged, paddockv1.E_Method, &paddockv1.Policy{Retry: &paddockv1.Retry{
		Safe: proto.Bool(true), HedgeAfter: &durationpb.Duration{Nanos: 20e6},
	}})
	proto.SetExtension(service, paddockv1.E_Service, &paddockv1.Policy{Public: proto.Bool(true)}) // for CHASSIS_MTLS=off
	text := proto.String(".google.protobuf.StringValue")
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("wallet/v1/wallet.proto"), Package: proto.String("wallet.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto", "paddock/v1/options.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("WalletService"), Options: service,
			Method: []*descriptorpb.MethodDescriptorProto{
				{Name: proto.String("Get"), InputType: text, OutputType: text, Options: options},
				{Name: proto.String("Charge"), InputType: text, OutputType: text},
				{Name: proto.String("Quote"), InputType: text, OutputType: text, Options: hedged},
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
}()

// service returns the wallet under a name.
func (w *wallet) service(name string) chassis.Service {
	return chassis.Service{Name: name, Setup: func(_ context.Context, app *chassis.App) error {
		app.RegisterService(&walletDesc, w)
		return nil
	}}
}

// dialler is a service that dials wallet, and that a test calls for.
type dialler struct {
	*chassistest.Running
	conn *grpc.ClientConn
}

// dials starts a service that dials wallet.
func dials(t *testing.T, opts chassistest.Options) *dialler {
	t.Helper()
	d := &dialler{}
	d.Running = chassistest.Start(t, chassis.Service{Name: "till", Version: "1.2.3", Setup: func(ctx context.Context, app *chassis.App) (err error) {
		d.conn, err = app.Dial(ctx, "wallet")
		return err
	}}, opts)
	return d
}

func (d *dialler) call(ctx context.Context, method, text string) (string, error) {
	out := new(echo.Text)
	err := d.conn.Invoke(ctx, method, wrapperspb.String(text), out)
	return out.GetValue(), err
}

// reaching returns options of a service that finds wallet in memory.
func reaching(wallet *chassistest.Running) chassistest.Options {
	return chassistest.Options{Peers: map[string]*chassistest.Running{"wallet": wallet}}
}
