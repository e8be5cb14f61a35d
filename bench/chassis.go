package main

import (
	"context"
	"net"
	"os"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	echov1 "github.com/betmakers/paddock/bench/proto/echo/v1"
	"github.com/betmakers/paddock/chassis"
)

// startChassisGRPC serves handler by the chassis with everything on and returns the address of its
// gRPC port.
func startChassisGRPC(handler *echo) func(context.Context, setup) (string, error) {
	return func(ctx context.Context, _ setup) (string, error) {
		return startChassis(ctx, "CHASSIS_GRPC_ADDR", handler)
	}
}

// startChassisREST serves Echo by the chassis with everything on and returns the address of its
// REST port.
func startChassisREST(ctx context.Context, _ setup) (string, error) {
	return startChassis(ctx, "CHASSIS_HTTP_ADDR", &echo{})
}

// startChassis returns the address of the port that setting names, once the service is ready.
func startChassis(ctx context.Context, setting string, handler *echo) (string, error) {
	registerDrop()
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	if err := os.Setenv(setting, addr); err != nil {
		return "", err
	}
	ready := make(chan struct{})
	service := chassis.Service{
		Name: "echo",
		Setup: func(ctx context.Context, app *chassis.App) error {
			echov1.RegisterEchoServiceServer(app, handler)
			app.Gateway(ctx, echov1.RegisterEchoServiceHandler)
			return nil
		},
		OnEvent: func(e chassis.Event) {
			if e.Step == chassis.Ready {
				close(ready)
			}
		},
	}
	go reportEnd(func() error { return chassis.Run(ctx, service) })
	<-ready // a start that fails ends the process, and says why
	return addr, nil
}

func freeAddr() (string, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return lis.Addr().String(), lis.Close()
}

func registerDrop() {
	autoexport.RegisterSpanExporter("drop", func(context.Context) (sdktrace.SpanExporter, error) { return dropExport{}, nil })
}

// dropExport is where the spans end: they are recorded, queued and batched, and go nowhere.
type dropExport struct{}

func (dropExport) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (dropExport) Shutdown(context.Context) error                             { return nil }

// chassisEnv returns the settings of the chassis in the server process: those of production, with
// ports of its own. What it logs goes to the process's standard output, which is /dev/null.
func chassisEnv(transport string) func(certDir) []string {
	return func(dir certDir) []string {
		env := []string{
			"CHASSIS_ENVIRONMENT=production",
			"CHASSIS_GRPC_ADDR=127.0.0.1:0", "CHASSIS_HTTP_ADDR=127.0.0.1:0", "CHASSIS_ADMIN_ADDR=127.0.0.1:0",
			"CHASSIS_HTTP_TLS=false",
			"OTEL_TRACES_EXPORTER=drop",
			"OTEL_TRACES_SAMPLER=parentbased_traceidratio",
			"OTEL_TRACES_SAMPLER_ARG=0.1",
		}
		if transport == "plain" {
			return append(env, "CHASSIS_MTLS=off")
		}
		return append(env,
			"CHASSIS_MTLS=files",
			"CHASSIS_TLS_CERT_FILE="+dir.ServerCert(),
			"CHASSIS_TLS_KEY_FILE="+dir.ServerKey(),
			"CHASSIS_TLS_CA_FILE="+dir.CA(),
		)
	}
}
