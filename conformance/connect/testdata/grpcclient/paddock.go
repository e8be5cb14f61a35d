package grpcclient

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/betmakers/paddock/chassis"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"

	"connectrpc.com/conformance/internal"
	conformancev1 "connectrpc.com/conformance/internal/gen/proto/go/connectrpc/conformance/v1"
)

// RunChassis makes the calls that the runner asks for on in by connections of App.Dial, and answers
// on out.
func RunChassis(ctx context.Context, in io.Reader, out io.Writer) error {
	codec := internal.NewCodec(false)
	decoder, encoder := codec.NewDecoder(in), codec.NewEncoder(out)
	callers := &callers{conns: map[string]*grpc.ClientConn{}}
	places := make(chan struct{}, 8)
	var answering sync.Mutex
	var failures []error
	var calls sync.WaitGroup
	for {
		req := new(conformancev1.ClientCompatRequest)
		err := decoder.DecodeNext(req)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		places <- struct{}{}
		calls.Go(func() {
			defer func() { <-places }()
			resp := &conformancev1.ClientCompatResponse{TestName: req.GetTestName()}
			if result, err := callers.call(ctx, req); err != nil {
				resp.Result = &conformancev1.ClientCompatResponse_Error{Error: &conformancev1.ClientErrorResult{Message: err.Error()}}
			} else {
				resp.Result = &conformancev1.ClientCompatResponse_Response{Response: result}
			}
			answering.Lock()
			defer answering.Unlock()
			if err := encoder.Encode(resp); err != nil {
				failures = append(failures, err)
			}
		})
	}
	calls.Wait()
	return errors.Join(failures...)
}

// callers has a connection for each server, of a service of its own: App.Dial has one target.
type callers struct {
	mu    sync.Mutex
	conns map[string]*grpc.ClientConn
}

func (c *callers) call(ctx context.Context, req *conformancev1.ClientCompatRequest) (*conformancev1.ClientResponseResult, error) {
	conn, err := c.dial(ctx, net.JoinHostPort(req.GetHost(), strconv.Itoa(int(req.GetPort()))))
	if err != nil {
		return nil, err
	}
	var options []grpc.CallOption
	if req.GetCompression() == conformancev1.Compression_COMPRESSION_GZIP {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	return newInvoker(&optioned{conn, options}).Invoke(ctx, req)
}

func (c *callers) dial(ctx context.Context, addr string) (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.conns[addr]; conn != nil {
		return conn, nil
	}
	for name, value := range map[string]string{
		"CHASSIS_ENVIRONMENT": "development", "CHASSIS_MTLS": "off", "CHASSIS_LOG_LEVEL": "ERROR", "CHASSIS_ADMIN_ADDR": "127.0.0.1:0",
		"CHASSIS_GRPC_ADDR": "127.0.0.1:0", "CHASSIS_HTTP_ADDR": "127.0.0.1:0", "CHASSIS_CALL_TIMEOUT": "0",
		"CHASSIS_CONFORMANCE_TARGET": addr,
	} {
		os.Setenv(name, value)
	}
	var conn *grpc.ClientConn
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- chassis.Run(ctx, chassis.Service{
			Name: "caller",
			Setup: func(ctx context.Context, app *chassis.App) (err error) {
				conn, err = app.Dial(ctx, "conformance")
				return err
			},
			OnEvent: func(e chassis.Event) {
				if e.Step == chassis.Ready {
					close(ready)
				}
			},
		})
	}()
	select {
	case err := <-ended:
		return nil, err
	case <-ready:
		c.conns[addr] = conn
		return conn, nil
	}
}

// optioned makes each call with options.
type optioned struct {
	grpc.ClientConnInterface
	options []grpc.CallOption
}

func (o *optioned) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return o.ClientConnInterface.Invoke(addUserAgent(ctx), method, args, reply, append(opts, o.options...)...)
}

func (o *optioned) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return o.ClientConnInterface.NewStream(addUserAgent(ctx), desc, method, append(opts, o.options...)...)
}
