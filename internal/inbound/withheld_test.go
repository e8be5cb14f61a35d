package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// passedOn is an error of a call that a handler made, as it came.
type passedOn struct{ error }

func (e passedOn) GRPCStatus() *status.Status { return status.Convert(e.error) }
func (e passedOn) Is(target error) bool       { return target == rpcstatus.ErrReceived }

// What gRPC says of a failed call of a dependency.
const (
	refusedDial = `connection error: desc = "transport: Error while dialing: dial tcp 10.1.2.3:9000: connect: connection refused"`
	wrongServer = `connection error: desc = "transport: authentication handshake failed: chassis: the server is \"spiffe://betmakers/x\", expected \"spiffe://betmakers/wallet\""`
)

// withDetail is a status with a reason.
func withDetail(code codes.Code, text string) error {
	st, err := status.New(code, text).WithDetails(&errdetails.ErrorInfo{Reason: "MAINTENANCE", Domain: "wallet"})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

// Callers from outside get no text that was made for the inside, and those of the mesh do.
func TestTextsForCallersFromOutside(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		want  codes.Code
		shown bool // to everybody
	}{
		"own status":                      {status.Error(codes.Unavailable, "public transport: not before five"), codes.Unavailable, true},
		"own status of a bank":            {status.Error(codes.FailedPrecondition, "unpaid interest: 5 %"), codes.FailedPrecondition, true},
		"own status, then gRPC's":         {status.Error(codes.Internal, "charge: transport: the stream is done"), codes.Internal, false},
		"own status, internal":            {status.Error(codes.Internal, "the ledger does not add up"), codes.Internal, true},
		"own status with a wrapped cause": {fmt.Errorf("db at 10.1.2.3: %w", status.Error(codes.NotFound, "no such horse")), codes.NotFound, true},
		"dial":                            {status.Error(codes.Unavailable, refusedDial), codes.Unavailable, false},
		"dial, wrapped":                   {fmt.Errorf("wallet: %w", status.Error(codes.Unavailable, refusedDial)), codes.Unavailable, false},
		"dial, as text of its own":        {status.Errorf(codes.Internal, "wallet: %v", status.Error(codes.Unavailable, refusedDial)), codes.Internal, false},
		"identity":                        {status.Error(codes.Unavailable, wrongServer), codes.Unavailable, false},
		"name":                            {status.Error(codes.Unavailable, "name resolver error: produced zero addresses"), codes.Unavailable, false},
		"lookup":                          {status.Error(codes.Unavailable, "dns: A record lookup error: lookup wallet on 10.0.0.10:53: no such host"), codes.Unavailable, false},
		"deadline":                        {status.Error(codes.DeadlineExceeded, "context deadline exceeded while waiting for connections to become ready; latest balancer error: last connection error: 10.1.2.3"), codes.DeadlineExceeded, false},
		"size":                            {status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)"), codes.ResourceExhausted, false},
		"proxy":                           {status.Error(codes.PermissionDenied, "unexpected HTTP status code received from server: 403 (Forbidden)"), codes.PermissionDenied, false},
		"the stream is missing":           {grpc.SetHeader(context.Background(), metadata.Pairs("a", "b")), codes.Internal, false},
		"passed on":                       {passedOn{status.Error(codes.NotFound, "no such wallet")}, codes.NotFound, true},
		"passed on, a refusal":            {passedOn{status.Error(codes.PermissionDenied, "the wallet is frozen")}, codes.PermissionDenied, true},
		"passed on with a reason":         {passedOn{withDetail(codes.Unavailable, "closed until five")}, codes.Unavailable, true},
		"passed on, unavailable":          {passedOn{status.Error(codes.Unavailable, "EOF from 10.1.2.3")}, codes.Unavailable, false},
		"passed on, unknown":              {passedOn{status.Error(codes.Unknown, secret)}, codes.Unknown, false},
		"passed on, cancelled":            {passedOn{status.Error(codes.Canceled, "context canceled")}, codes.Canceled, false},
		"passed on, unimplemented":        {passedOn{status.Error(codes.Unimplemented, "unknown service wallet.v1.WalletService")}, codes.Unimplemented, false},
		"details of the service's own":    {withDetail(codes.Unavailable, "wallet: "+refusedDial), codes.Unavailable, false},
	} {
		f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { return nil, tc.err }}, policy(t, `{"public":true}`))
		f.SetTrustDomain("betmakers")
		var carrier interface{ GRPCStatus() *status.Status }
		errors.As(tc.err, &carrier)
		text := carrier.GRPCStatus().Message()
		for caller, outside := range map[string]bool{
			"spiffe://betmakers/web": false, "": true, "spiffe://elsewhere/web": true, "spiffe://betmakers": true,
		} {
			got := status.Convert(f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), caller))))
			if got.Code() != tc.want {
				t.Errorf("%s, %q: got %v, want %v", name, caller, got.Code(), tc.want)
			}
			if want := status.Convert(tc.err); len(got.Details()) != len(want.Details()) {
				t.Errorf("%s, %q: details %v, want %v", name, caller, got.Details(), want.Details())
			}
			if shown := strings.Contains(got.Message(), text); shown != (tc.shown || !outside) {
				t.Errorf("%s, %q: got %q", name, caller, got.Message())
			}
			if strings.ContainsAny(got.Message(), "\"/:") && outside && !tc.shown {
				t.Errorf("%s, %q: got %q, want a fixed text", name, caller, got.Message())
			}
		}
		id := regexp.MustCompile(`, id ([0-9a-f]{16})$`).FindStringSubmatch(status.Convert(f.method(t, unary).Serve(nil, newFakeStream(t.Context()))).Message())
		if (id == nil) != tc.shown {
			t.Errorf("%s: the id is %v", name, id)
		}
		if id == nil || tc.want == codes.Canceled { // which is logged at debug
			continue
		}
		records := f.log.records(t)
		if last := records[len(records)-1]; last["error_id"] != id[1] || last["error"] != tc.err.Error() {
			t.Errorf("%s: logged %v, want the whole error under %s", name, last, id[1])
		}
	}
}

// An error of a third party that a handler returns has addresses in it, and a context's error has
// none.
func TestErrorsOfHTTPStayInside(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 443}, Err: errors.New("connection refused")}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&url.Error{Op: "Get", URL: "https://10.1.2.3/keys", Err: dial}, "internal error, id "},
		{fmt.Errorf("odds: %w", &url.Error{Op: "Get", URL: "https://10.1.2.3/keys", Err: context.DeadlineExceeded}), "context deadline exceeded"},
	} {
		f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { return nil, tc.err }})
		got := status.Convert(f.method(t, unary).Serve(nil, newFakeStream(t.Context()))).Message()
		if !strings.HasPrefix(got, tc.want) || strings.Contains(got, "10.1.2.3") {
			t.Errorf("%v: got %q", tc.err, got)
		}
		if !strings.Contains(f.log.String(), "10.1.2.3") {
			t.Errorf("%v: the log has no cause: %s", tc.err, f.log)
		}
	}
}

// A handler that returns what SetHeader or SendHeader failed with tells nothing of it.
func TestHeaderSentTwice(t *testing.T) {
	md := metadata.Pairs("a", "b")
	for name, fail := range map[string]func(ctx context.Context, s grpc.ServerStream) error{
		"SendHeader":             func(ctx context.Context, _ grpc.ServerStream) error { return grpc.SendHeader(ctx, md) },
		"SetHeader":              func(ctx context.Context, _ grpc.ServerStream) error { return grpc.SetHeader(ctx, md) },
		"SendHeader of a stream": func(_ context.Context, s grpc.ServerStream) error { return s.SendHeader(md) },
		"SetHeader of a stream":  func(_ context.Context, s grpc.ServerStream) error { return s.SetHeader(md) },
		"another context": func(context.Context, grpc.ServerStream) error {
			return grpc.SetHeader(context.WithValue(context.Background(), callerKey{}, secret), md)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
				if err := s.SendHeader(nil); err != nil {
					t.Error(err)
				}
				return fail(s.Context(), s)
			}}, limited)
			for _, cc := range []grpc.ClientConnInterface{conn, f.Conn(inbound.RESTConfig{})} {
				got := status.Convert(drainStream(openStream(t, cc, serverStream)))
				if !regexp.MustCompile(`^internal error, id [0-9a-f]{16}$`).MatchString(got.Message()) {
					t.Errorf("got %v", got)
				}
			}
			f.settle(t)
		})
	}
}

// A text with gRPC's words in it again and again, as a caller can send one that is repeated, costs
// what it is long.
func TestWordsOfTheInsideCostNoMore(t *testing.T) {
	cost := func(part string) uint64 {
		text := strings.Repeat(part, 200_000/len(part))
		f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) {
			return nil, status.Error(codes.InvalidArgument, "no such name: x"+text)
		}})
		m := f.method(t, unary)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := m.Serve(nil, newFakeStream(t.Context()))
		runtime.ReadMemStats(&after)
		if status.Code(err) != codes.InvalidArgument || len(status.Convert(err).Message()) < 100_000 {
			t.Fatalf("answered %.100v", err)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	for _, part := range []string{"xgrpc: ", "xtransport: ", "xtls: ", "xdns: "} {
		if with, without := cost(part), cost("nothing"); with > without+without/2+64<<10 {
			t.Errorf("%q: %d KiB allocated, and %d without", part, with>>10, without>>10)
		}
	}
}
