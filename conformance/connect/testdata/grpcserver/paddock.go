package grpcserver

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/betmakers/paddock/chassis"
	"google.golang.org/grpc"

	"connectrpc.com/conformance/internal"
	conformancev1 "connectrpc.com/conformance/internal/gen/proto/go/connectrpc/conformance/v1"
)

// RunChassis serves the suite's service by the chassis, as the runner asks for it on in, and
// answers on out.
func RunChassis(ctx context.Context, in io.Reader, out io.Writer) error {
	codec := internal.NewCodec(false)
	req := new(conformancev1.ServerCompatRequest)
	if err := codec.NewDecoder(in).DecodeNext(req); err != nil {
		return err
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := lis.Addr().(*net.TCPAddr)
	lis.Close()
	for name, value := range map[string]string{
		"CHASSIS_ENVIRONMENT": "development", "CHASSIS_MTLS": "off", "CHASSIS_LOG_LEVEL": "ERROR", "CHASSIS_LOG_REQUESTS": "none",
		"CHASSIS_GRPC_ADDR": addr.String(), "CHASSIS_HTTP_ADDR": "127.0.0.1:0", "CHASSIS_ADMIN_ADDR": "127.0.0.1:0",
		"CHASSIS_CALL_TIMEOUT": "0", // else a call without a deadline has one, which its handler reports
	} {
		os.Setenv(name, value)
	}
	if limit := req.GetMessageReceiveLimit(); limit > 0 {
		os.Setenv("CHASSIS_MAX_MESSAGE_BYTES", strconv.Itoa(int(limit)))
	}
	return chassis.Run(ctx, chassis.Service{
		Name:               "conformance",
		UnaryInterceptors:  []grpc.UnaryServerInterceptor{serverNameUnaryInterceptor},
		StreamInterceptors: []grpc.StreamServerInterceptor{serverNameStreamInterceptor},
		Setup: func(_ context.Context, app *chassis.App) error {
			conformancev1.RegisterConformanceServiceServer(app, NewConformanceServiceServer())
			return nil
		},
		OnEvent: func(e chassis.Event) {
			if e.Step != chassis.Ready {
				return
			}
			resp := &conformancev1.ServerCompatResponse{Host: fmt.Sprint(addr.IP), Port: uint32(addr.Port)}
			if err := codec.NewEncoder(out).Encode(resp); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		},
	})
}
