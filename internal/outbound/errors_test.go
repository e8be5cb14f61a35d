package outbound_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/outbound"
)

// decoded is what the connection of this test makes of a status.
type decoded struct{ st *status.Status }

func (d *decoded) Error() string { return d.st.Message() }

func decode(err error) (*decoded, bool) {
	st, ok := status.FromError(err)
	return &decoded{st}, ok
}

// Each way in which a client's call can tell of an error tells of a decoded one, and of others as
// they are.
func TestClientErrors(t *testing.T) {
	stop := errors.New("unknown to decode")
	for name, test := range map[string]struct {
		err   error
		wants func(error) bool
	}{
		"nil":     {nil, func(err error) bool { return err == nil }},
		"the end": {io.EOF, func(err error) bool { return err == io.EOF }}, //nolint:errorlint // the value itself
		"another": {stop, func(err error) bool { return err == stop }},     //nolint:errorlint // the value itself
		"a status": {status.Error(codes.Aborted, "again"), func(err error) bool {
			var d *decoded
			return errors.As(err, &d) && d.st.Code() == codes.Aborted
		}},
	} {
		t.Run(name, func(t *testing.T) {
			opened := true
			opts := append(outbound.Errors(decode),
				grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithChainUnaryInterceptor(func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
					return test.err
				}),
				grpc.WithChainStreamInterceptor(func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer, ...grpc.CallOption) (grpc.ClientStream, error) {
					if opened {
						return failing{err: test.err}, nil
					}
					return nil, test.err
				}))
			conn, err := grpc.NewClient("passthrough:///nobody", opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // it never connected
			stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{}, bidiStream)
			if err != nil {
				t.Fatal(err)
			}
			opened = false
			_, headerErr := stream.Header()
			_, openErr := conn.NewStream(t.Context(), &grpc.StreamDesc{}, bidiStream)
			for where, err := range map[string]error{
				"Invoke": conn.Invoke(t.Context(), unary, nil, nil), "NewStream": openErr, "Header": headerErr,
				"SendMsg": stream.SendMsg(nil), "RecvMsg": stream.RecvMsg(nil), "CloseSend": stream.CloseSend(),
			} {
				if !test.wants(err) {
					t.Errorf("%s: got %#v", where, err)
				}
			}
		})
	}
}

// failing is a stream that fails in every way.
type failing struct {
	grpc.ClientStream
	err error
}

func (f failing) Header() (metadata.MD, error) { return nil, f.err }
func (f failing) SendMsg(any) error            { return f.err }
func (f failing) RecvMsg(any) error            { return f.err }
func (f failing) CloseSend() error             { return f.err }
