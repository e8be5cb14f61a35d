package chassis_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/harness"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

// access is the service under test and the ways to it.
type access struct {
	t       *testing.T
	ca      *chassistest.CA
	ports   map[string]*countingListener
	handled atomic.Int64
	ends    time.Time // of the certificates that expire: one time for all, as connections are cut so long after
}

func startAccess(t *testing.T) *access {
	t.Helper()
	a := &access{t: t, ca: chassistest.NewCA(t), ports: map[string]*countingListener{}}
	ready, ended := make(chan struct{}), make(chan error, 1)
	service := chassis.Service{Name: "edge", Tokens: fakeTokens{}, Setup: func(ctx context.Context, app *chassis.App) error {
		vaultv1.RegisterVaultServiceServer(app, &counted{a: a})
		app.Handle("POST /handle", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.handled.Add(1)
			whoReads(w, r)
		}))
		app.Gateway(ctx, vaultv1.RegisterVaultServiceHandler, uploads)
		return nil
	}, OnEvent: func(e chassis.Event) {
		if e.Step == chassis.Ready {
			close(ready)
		}
	}}
	ctx, cancel := context.WithCancel(harness.With(context.Background(), &harness.Harness{
		Source: identified{a.ca.Identity("edge")},
		Environ: []string{
			"CHASSIS_ENVIRONMENT=production", "CHASSIS_FLIGHT_RECORDER=false", "CHASSIS_DRAIN_DELAY=0s", "CHASSIS_ADMIN_TLS=true",
			"CHASSIS_CONNECT_TIMEOUT=2m", // of connections that wait for their certificates to end
			"CHASSIS_DEBUG_CALLERS=web", "CHASSIS_DEBUG_LOOPBACK=false",
			`CHASSIS_POLICY_OVERRIDES={"vault.v1.VaultService/Store": {"callers": ["web"]}, "vault.v1.VaultService/Upload": {"callers": ["web"]}}`,
		},
		Output: io.Discard,
		Listen: func(_ context.Context, port, _ string) (net.Listener, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			a.ports[port] = &countingListener{Listener: l, conns: make(chan *countingConn, 100)}
			return a.ports[port], nil
		},
	}))
	go func() { ended <- chassis.Run(ctx, service) }()
	t.Cleanup(func() {
		cancel()
		if err := await(t, ended, "the service ends"); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("the service did not start: %v", err)
	}
	return a
}

type identified struct{ id *mtls.Identity }

func (i identified) Identity() (*mtls.Identity, error) { return i.id, nil }

// counted is a service that counts the calls that reach its handlers.
type counted struct {
	storing
	a *access
}

func (c *counted) Store(ctx context.Context, in *vaultv1.StoreRequest) (*vaultv1.StoreResponse, error) {
	c.a.handled.Add(1)
	return c.storing.Store(ctx, in)
}

func (c *counted) Upload(stream grpc.ClientStreamingServer[vaultv1.UploadRequest, vaultv1.UploadResponse]) error {
	c.a.handled.Add(1)
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&vaultv1.UploadResponse{})
		}
		if err != nil {
			return err
		}
	}
}

// uploads is what generated code does for a method that takes a stream.
func uploads(_ context.Context, mux *gateway.ServeMux, conn *grpc.ClientConn) error {
	return mux.HandlePath("POST", "/v1/upload", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		in, out := gateway.MarshalerForRequest(mux, r)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		ctx, err := gateway.AnnotateContext(ctx, mux, r, vaultv1.VaultService_Upload_FullMethodName, gateway.WithHTTPPathPattern("/v1/upload"))
		if err != nil {
			gateway.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		answer, err := upload(ctx, conn, in.NewDecoder(r.Body))
		if err != nil {
			gateway.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		gateway.ForwardResponseMessage(ctx, mux, out, w, r, answer)
	})
}

func upload(ctx context.Context, conn *grpc.ClientConn, decoder gateway.Decoder) (*vaultv1.UploadResponse, error) {
	stream, err := vaultv1.NewVaultServiceClient(conn).Upload(ctx)
	if err != nil {
		return nil, err
	}
	for {
		in := new(vaultv1.UploadRequest)
		if err := decoder.Decode(in); errors.Is(err, io.EOF) {
			return stream.CloseAndRecv()
		} else if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "%v", err)
		}
		if err := stream.Send(in); err != nil {
			return nil, err
		}
	}
}

// countingListener counts what is read from each of its connections.
type countingListener struct {
	net.Listener
	conns chan *countingConn
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &countingConn{Conn: conn}
	l.conns <- c
	return c, nil
}

type countingConn struct {
	net.Conn
	read atomic.Int64
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// accessClient is a caller with one connection of its own, which has served a request before.
type accessClient struct {
	addr   string
	token  string
	conn   net.Conn      // after its handshake; nil where that was refused
	server *countingConn // its other end
}

// connect makes the connection of a caller, one at a time: so both ends are found.
func (a *access) connect(t *testing.T, who accessIdentity, by way) *accessClient {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{by.protocol}} //nolint:gosec // the server is the test's own
	c := &accessClient{addr: a.ports[by.port].Addr().String(), token: who.token}
	if who.as != "" {
		id := a.ca.Identity(who.as, func(cert *x509.Certificate) {
			if who.expires {
				cert.NotAfter = a.ends
			}
		})
		config.Certificates = []tls.Certificate{id.Certificate}
	}
	raw, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	c.server = await(t, a.ports[by.port].conns, "the connection is accepted")
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.conn = conn
	return c
}

// lifeOfExpiring is long enough to make the connections, and short enough to wait for.
const lifeOfExpiring = 6 * time.Second

// noAnswer is when a client that waits for an answer takes it that there is none: before the server
// gives up its wait for a body.
const noAnswer = 10 * time.Second

// request makes a request on the connection. A body that is not sent is announced alone.
func (c *accessClient) request(t *testing.T, protocol, method, url, body string, sent bool) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), noAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		t.Error(err)
		return ""
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	content := []byte(`{"how": "` + "\xff")
	if body == bodyLarge {
		content = append(append([]byte(`{"how":"`), bytes.Repeat([]byte("x"), largeSize-10)...), `"}`...)
	}
	if body != bodyNone {
		req.ContentLength = int64(len(content))
		if req.Body = io.NopCloser(bytes.NewReader(content)); !sent {
			req.Body = &silent{closed: make(chan struct{})}
		}
	}
	resp, err := c.roundTrip(req, protocol, content, sent)
	if err != nil {
		return "no answer: " + err.Error()
	}
	defer resp.Body.Close()
	return fmt.Sprint(resp.StatusCode)
}

func (c *accessClient) roundTrip(req *http.Request, protocol string, content []byte, sent bool) (*http.Response, error) {
	if protocol == "http/1.1" {
		return c.roundTrip1(req, content, sent)
	}
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		DialTLSContext:    func(context.Context, string, string) (net.Conn, error) { return c.conn, nil },
	}
	defer transport.CloseIdleConnections()
	return transport.RoundTrip(req)
}

// roundTrip1 is by HTTP/1.1, and goes on writing while it waits for the answer.
func (c *accessClient) roundTrip1(req *http.Request, content []byte, sent bool) (*http.Response, error) {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", req.Method, req.URL.RequestURI(), req.ContentLength)
	for name := range req.Header {
		head += name + ": " + req.Header.Get(name) + "\r\n"
	}
	if _, err := io.WriteString(c.conn, head+"\r\n"); err != nil {
		return nil, err
	}
	if sent && req.ContentLength > 0 {
		written := make(chan struct{})
		go func() {
			defer close(written)
			_, _ = c.conn.Write(content) // whose answer may come before it is all written
		}()
		defer func() { _, _ = c.conn.Close(), <-written }()
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(noAnswer)); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c.conn), req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return resp, err
}

// callWay calls a method by gRPC.
func callWay(method string) func(*testing.T, *accessClient, string, bool) string {
	return func(t *testing.T, c *accessClient, body string, sent bool) string {
		t.Helper()
		conn, err := grpc.NewClient("passthrough:///edge", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(),
			grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return &untilCut{Conn: c.conn}, nil }))
		if err != nil {
			t.Error(err)
			return ""
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), noAnswer)
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, method, grpc.ForceCodecV2(rawCodec{}))
		if err == nil && sent {
			switch body {
			case bodyLarge:
				message, err := proto.Marshal(&vaultv1.StoreRequest{How: strings.Repeat("x", largeSize-10)})
				if err != nil {
					t.Error(err)
				}
				_ = stream.SendMsg(message) // whose error RecvMsg returns
			case bodyMalformed:
				_ = stream.SendMsg([]byte{0xff, 0xff})
			}
			_ = stream.CloseSend()
		}
		if err == nil {
			err = stream.RecvMsg(new([]byte))
		}
		if status.Code(err) == codes.Unavailable { // the client's own word: no server says so in this test
			return noConnection
		}
		return rpcstatus.Name(status.Code(err))
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	data, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is no bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(data)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	into, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T takes no bytes", v)
	}
	*into = data.Materialize()
	return nil
}

// untilCut is a connection by HTTP/2 whose client is not told to go: it uses the connection for as
// long as there is one.
type untilCut struct {
	net.Conn
	head []byte // of the frame that is read, or what is left of it
	left int    // of its content
	skip bool
}

const frameHead, frameGoAway = 9, 7 // RFC 9113, sections 4.1 and 6.8

func (c *untilCut) Read(p []byte) (int, error) {
	for {
		if len(c.head) == 0 && c.left == 0 {
			head := make([]byte, frameHead)
			if _, err := io.ReadFull(c.Conn, head); err != nil {
				return 0, err
			}
			c.left, c.skip = int(binary.BigEndian.Uint32(head)>>8), head[3] == frameGoAway
			if !c.skip {
				c.head = head
			}
		}
		if len(c.head) > 0 {
			n := copy(p, c.head)
			c.head = c.head[n:]
			return n, nil
		}
		if c.left == 0 {
			continue
		}
		n, err := c.Conn.Read(p[:min(len(p), c.left)])
		if c.left -= n; err != nil || !c.skip {
			return n, err
		}
	}
}
