package differential

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/conformance/internal/serve"
	shapesv1 "github.com/betmakers/paddock/conformance/proto/shapes/v1"
)

// part is a service of shapes.v1, as it is registered.
type part struct {
	desc    *grpc.ServiceDesc
	handler func(context.Context, *gateway.ServeMux, *grpc.ClientConn) error
}

// parts are the services that the pair serves.
func parts() []part {
	return []part{
		{&shapesv1.MessageService_ServiceDesc, shapesv1.RegisterMessageServiceHandler},
		{&shapesv1.RouteService_ServiceDesc, shapesv1.RegisterRouteServiceHandler},
		{&shapesv1.StreamService_ServiceDesc, shapesv1.RegisterStreamServiceHandler},
	}
}

// start is a service that is started by itself, as its templates may end the start.
type start struct {
	name     string
	part     part
	requests []request
}

func starts() []start {
	return []start{
		{
			"colons",
			part{&shapesv1.ColonService_ServiceDesc, shapesv1.RegisterColonServiceHandler},
			[]request{get("/v1/colons/a:custom:custom"), get("/v1/colons/a"), get("/v1/colons/a:custom"), get("/v1/colons/a:b:custom:custom"), get("/v1/colons/a%2Fb:custom:custom")},
		},
		{
			"inner",
			part{&shapesv1.InnerService_ServiceDesc, shapesv1.RegisterInnerServiceHandler},
			[]request{post("/v1/inner/a", `{"name":"b"}`), post("/v1/inner/a?other=c&inner.name=d", `{}`), post("/v1/inner/a", ``), post("/v1/inner/a", `x`), get("/v1/outer/a"), get("/v1/outer/a?inner.label.name=b")},
		},
	}
}

// side is one of the two that are compared.
type side struct {
	addr string
	impl *service
}

// pair is both sides, and the client of both.
type pair struct {
	reference, chassis side
	client             *http.Transport
	sent               atomic.Int64 // requests
}

func startPair(tb testing.TB) *pair {
	tb.Helper()
	p := &pair{
		reference: startReference(tb, parts()),
		chassis:   startChassis(tb, parts()),
		client:    startClient(tb),
	}
	return p
}

func startClient(tb testing.TB) *http.Transport {
	tb.Helper()
	client := &http.Transport{DisableCompression: true}
	tb.Cleanup(client.CloseIdleConnections)
	return client
}

// startReference serves parts by a plain gateway over a plain server. Its JSON has the options of
// the chassis's: fields without a value are sent where they have a default, and unset messages are
// left out.
func startReference(tb testing.TB, parts []part) side {
	tb.Helper()
	impl := new(service)
	server := grpc.NewServer()
	for _, p := range parts {
		server.RegisterService(p.desc, impl)
	}
	conn, err := grpc.NewClient(serve.GRPC(tb, server), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	mux := gateway.NewServeMux(gateway.WithMarshalerOption(gateway.MIMEWildcard, &gateway.HTTPBodyMarshaler{
		Marshaler: &gateway.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{EmitDefaultValues: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
		},
	}))
	for _, p := range parts {
		if err := p.handler(tb.Context(), mux, conn); err != nil {
			tb.Fatal(err)
		}
	}
	return side{addr: serve.HTTP(tb, &http.Server{Handler: mux}), impl: impl}
}

func startChassis(tb testing.TB, parts []part) side {
	tb.Helper()
	s, err := tryChassis(tb, parts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// tryChassis serves parts by the chassis. It returns the error of a start that is refused.
func tryChassis(tb testing.TB, parts []part) (side, error) {
	tb.Helper()
	impl := new(service)
	ports, err := serve.Chassis(tb, chassis.Service{
		Name: "shapes",
		Setup: func(ctx context.Context, app *chassis.App) error {
			for _, p := range parts {
				app.RegisterService(p.desc, impl)
				app.Gateway(ctx, p.handler)
			}
			return nil
		},
	}, nil)
	return side{addr: ports.HTTP, impl: impl}, err
}

// compare sends r to both sides and returns what differs.
func (p *pair) compare(tb testing.TB, r request) []difference {
	tb.Helper()
	reference, err1 := p.ask(tb, p.reference, r)
	chassis, err2 := p.ask(tb, p.chassis, r)
	if err1 != nil && err2 != nil {
		return nil // what no client can send
	}
	if err := errors.Join(err1, err2); err != nil {
		return []difference{{"connection", text(err1), text(err2)}}
	}
	return differences(reference, chassis)
}
