package chassis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
	"github.com/betmakers/paddock/chassis/internal/harness"
)

// onLoopback runs a service on ports of the loopback interface, without TLS, and returns the
// address of its REST port.
func onLoopback(t *testing.T, service chassis.Service, settings ...string) string {
	t.Helper()
	return listening(t, service, func(_ string, l net.Listener) net.Listener { return l }, settings...)["http"]
}

// listening runs a service on ports of the loopback interface, without TLS, whose listeners are
// what wrap makes of them. It returns the addresses of its ports by their names.
func listening(t *testing.T, service chassis.Service, wrap func(port string, l net.Listener) net.Listener, settings ...string) map[string]string {
	t.Helper()
	addrs := map[string]string{}
	ready, ended := make(chan struct{}), make(chan error, 1)
	service.OnEvent = func(e chassis.Event) {
		if e.Step == chassis.Ready {
			close(ready)
		}
	}
	ctx, cancel := context.WithCancel(harness.With(context.Background(), &harness.Harness{
		Environ: append([]string{"CHASSIS_ENVIRONMENT=development", "CHASSIS_MTLS=off", "CHASSIS_FLIGHT_RECORDER=false"}, settings...),
		Output:  io.Discard,
		Listen: func(_ context.Context, port, _ string) (net.Listener, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			addrs[port] = l.Addr().String()
			return wrap(port, l), nil
		},
	}))
	go func() { ended <- chassis.Run(ctx, service) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	await(t, ready, "the service is ready")
	return addrs
}

var schemes = map[string]string{"http": "false", "https": "true"} // HTTP/1.1 and HTTP/2

// A stream by REST is not cut while its handler is quiet, and neither its last message nor its
// error is lost; nor is a call that takes longer than a write may.
func TestQuietCallsByREST(t *testing.T) {
	t.Parallel()
	for scheme, secure := range schemes {
		for _, size := range []int{10, 64 << 10} {
			t.Run(fmt.Sprint(scheme, " ", size), func(t *testing.T) {
				t.Parallel()
				svc := start(t, echoes(&echo.Service{
					OnList: func(ctx context.Context, _ string, send func(string) error) error {
						_ = grpc.SetTrailer(ctx, metadata.Pairs("sum", "2"))
						if err := send("first"); err != nil {
							return err
						}
						time.Sleep(2500 * time.Millisecond) // quiet for longer than a write may take, on a real socket
						if err := errors.Join(ctx.Err(), send(strings.Repeat("x", size))); err != nil {
							t.Errorf("the handler has %v", err)
						}
						time.Sleep(1500 * time.Millisecond) // the same
						return status.Error(codes.DataLoss, "the rest is lost")
					},
					OnSay: func(_ context.Context, text string) (string, error) {
						time.Sleep(2500 * time.Millisecond) // the same
						return text, nil
					},
				}), env{"CHASSIS_WRITE_TIMEOUT": "1s", "CHASSIS_HTTP_TIMEOUT": "20s", "CHASSIS_HTTP_TLS": secure})
				got := do(t, svc.HTTP(), "GET", scheme+"://rest/v1/list/x", "")
				lines := strings.Split(strings.TrimSpace(got.body), "\n")
				if len(lines) != 3 || len(lines[1]) < size {
					t.Fatalf("got %d lines in %d bytes", len(lines), len(got.body))
				}
				expectAll(t, lines[2], `"error"`, "the rest is lost")
				if got := do(t, svc.HTTP(), "POST", scheme+"://rest/v1/say", `"late"`); got.String() != `200 "late"` {
					t.Errorf("got %s", got)
				}
			})
		}
	}
}

// A stream whose handler panics in its middle ends in an error with an id.
func TestPanicInAStreamByREST(t *testing.T) {
	t.Parallel()
	for scheme, secure := range schemes {
		svc := start(t, echoes(&echo.Service{OnList: func(_ context.Context, text string, send func(string) error) error {
			_ = send(text)
			panic("secret cause")
		}}), env{"CHASSIS_HTTP_TLS": secure})
		got := do(t, svc.HTTP(), "GET", scheme+"://rest/v1/list/x", "")
		lines := strings.Split(strings.TrimSpace(got.body), "\n")
		if len(lines) != 2 || strings.Contains(got.body, "secret cause") {
			t.Fatalf("%s: got %s", scheme, got)
		}
		expectAll(t, lines[1], `{"error":{"title":"Internal Server Error","status":500,"detail":"internal error, id `, `"code":"INTERNAL"`, got.header.Get("Trace-Id"))
	}
}

// A download goes on while its reader reads, also where the system sends the file.
func TestDownloadsOverTCP(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	name := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	ends := make(chan error, 1)
	addr := onLoopback(t, setsUp(func(app *chassis.App) {
		app.HandlePublic("GET /file", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, name)
			ends <- r.Context().Err()
		}))
		app.HandlePublic("GET /write", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, size))
			ends <- err
		}))
		app.HandlePublic("GET /copy", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.Copy(w, bytes.NewReader(make([]byte, size)))
			ends <- err
		}))
	}), "CHASSIS_WRITE_TIMEOUT=2s")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/file", "/write", "/copy"} {
		response, err := client.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		total, buffer := 0, make([]byte, 1<<20)
		for err == nil {
			var n int
			n, err = io.ReadFull(response.Body, buffer)
			total += n
			time.Sleep(100 * time.Millisecond) // a slow reader, by whom the system's buffers fill
		}
		_ = response.Body.Close()
		if end := <-ends; total != size || end != nil {
			t.Errorf("%s: read %d bytes, %v; the handler has %v", path, total, err, end)
		}
	}
}

// shutGate is a connection whose reader stops to read.
type shutGate struct {
	net.Conn
	shut chan struct{}
	end  chan struct{}
}

func (g *shutGate) Read(p []byte) (int, error) {
	select {
	case <-g.shut:
		<-g.end
	default:
	}
	return g.Conn.Read(p)
}

func (g *shutGate) Close() error {
	select {
	case <-g.end:
	default:
		close(g.end)
	}
	return g.Conn.Close()
}

// A connection that takes nothing is closed, also where the reset of a stream would have to go over
// it.
func TestConnectionsThatTakeNothingAreClosed(t *testing.T) {
	t.Parallel()
	for scheme, secure := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			begun, ended := make(chan struct{}), make(chan error, 1)
			shut := make(chan struct{})
			svc := start(t, setsUp(func(app *chassis.App) {
				app.HandlePublic("GET /endless", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.(http.Flusher).Flush()
					close(begun)
					<-shut
					for {
						if _, err := w.Write(make([]byte, 1<<20)); err != nil {
							ended <- err
							return
						}
					}
				}))
			}), env{"CHASSIS_WRITE_TIMEOUT": "500ms", "CHASSIS_HTTP_TLS": secure})
			client := svc.HTTP()
			transport := reflect.ValueOf(client.Transport).FieldByName("Transport").Interface().(*http.Transport)
			dial := transport.DialContext
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				return &shutGate{Conn: conn, shut: shut, end: make(chan struct{})}, err
			}
			response, err := client.Get(scheme + "://rest/endless")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close() //nolint:errcheck // it fails
			<-begun
			close(shut)
			await(t, ended, "the handler's write ended")
		})
	}
}

// A body that is announced and does not come costs what has come.
func TestAnnouncedBodiesAreNotAllocated(t *testing.T) {
	addr := onLoopback(t, echoes(&echo.Service{}))
	const connections = 300
	stacks() // is no part of it
	for name, sent := range map[string]string{"nothing": "", "one byte": `"`, "a little": `"` + strings.Repeat("x", 1000)} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			for range connections {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close() //nolint:errcheck // of a test
				_, _ = fmt.Fprintf(conn, "POST /v1/say HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", 4<<20, sent)
			}
			eventually(t, "all requests wait for their body", func() bool { return goroutinesReading() >= connections })
			if more := heap() - before; more > 16<<20 {
				t.Errorf("%d announced bodies take %d MiB", connections, more>>20)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // not that large
}

var stacks = sync.OnceValue(func() []byte { return make([]byte, 4<<20) })

// goroutinesReading returns the number of requests whose gateway waits for a body.
func goroutinesReading() int {
	return bytes.Count(stacks()[:runtime.Stack(stacks(), true)], []byte("decodeWhole("))
}

// The largest body that is taken arrives whole, however it is cut on its way.
func TestAnnouncedBodiesArriveWhole(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), nil)
	for _, size := range []int{0, 1, 4 << 10, 4<<10 + 1, 100_000, 4<<20 - 100} {
		text := `"` + strings.Repeat("x", size) + `"`
		if got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", text); got.status != 200 || got.body != text {
			t.Errorf("%d bytes: got %d and %d bytes", size, got.status, len(got.body))
		}
	}
}

// WebSockets outlive every timeout, and a stop neither waits for them nor names them as calls that
// it cut.
func TestHijackedConnectionsAtAStop(t *testing.T) {
	for name, wait := range map[string]func(ctx context.Context, conn net.Conn){
		"a handler that listens": func(ctx context.Context, _ net.Conn) { <-chassis.Draining(ctx) },
		"a handler that reads":   func(_ context.Context, conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) },
	} {
		t.Run(name, func(t *testing.T) { hijackedAtAStop(t, wait) })
	}
}

func hijackedAtAStop(t *testing.T, wait func(ctx context.Context, conn net.Conn)) {
	t.Parallel()
	opened, ended := make(chan struct{}), make(chan struct{})
	svc := start(t, setsUp(func(app *chassis.App) {
		app.HandlePublic("GET /ws", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			conn, buffers, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close() //nolint:errcheck // of a test
			_, _ = buffers.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = buffers.Flush()
			close(opened)
			wait(r.Context(), conn)
		}))
	}), env{"CHASSIS_WRITE_TIMEOUT": "50ms", "CHASSIS_BODY_TIMEOUT": "50ms", "CHASSIS_IDLE_TIMEOUT": "50ms", "CHASSIS_SHUTDOWN_TIMEOUT": "5s"})
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://rest/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	response, err := svc.HTTP().Do(req)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answered %v, %v", response, err)
	}
	defer response.Body.Close() //nolint:errcheck // of a test
	await(t, opened, "the handler has its connection")
	time.Sleep(200 * time.Millisecond) // more than any timeout of a real socket
	select {
	case <-ended:
		t.Fatal("the connection ended before the service")
	default:
	}
	svc.Stop() // fails the test where it cuts anything
	await(t, ended, "the handler was told of the stop")
	expectSteps(t, svc.Events(), startOrder, stopOrder)
}

// streams is what generated code does for a method that takes a stream.
func streams(_ context.Context, mux *gateway.ServeMux, conn *grpc.ClientConn) error {
	return mux.HandlePath("POST", "/v1/stream", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		in, out := gateway.MarshalerForRequest(mux, r)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		ctx, err := gateway.AnnotateContext(ctx, mux, r, echo.ListMethod)
		if err != nil {
			panic(err)
		}
		stream, err := echo.List(ctx, conn, "begun")
		if err == nil {
			_, err = stream.Recv() // the call has begun
		}
		for decoder := in.NewDecoder(r.Body); err == nil; {
			err = decoder.Decode(new(echo.Text))
		}
		gateway.HTTPError(ctx, mux, out, w, r, status.Errorf(codes.InvalidArgument, "%v", err))
	})
}

// What is wrong with the body of a request is told without the words of the parser and the network,
// and quotes nothing.
func TestUnreadableBodiesOfStreams(t *testing.T) {
	t.Parallel()
	service := echoes(&echo.Service{})
	setup := service.Setup
	service.Setup = func(ctx context.Context, app *chassis.App) error {
		app.Gateway(ctx, streams)
		return setup(ctx, app)
	}
	svc := start(t, service, nil)
	for _, body := range []io.Reader{strings.NewReader(`{"card": 4711-secret`), struct{ io.Reader }{strings.NewReader(`{"card": 4711-secret`)}} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://rest/v1/stream", body)
		if err != nil {
			t.Fatal(err)
		}
		got := send(t, svc.HTTP(), req)
		if got.status != 400 || strings.Contains(got.body, "4711") || strings.Contains(got.body, "proto") || strings.Contains(got.body, "token") {
			t.Errorf("got %s", got)
		}
		expectAll(t, got.body, "the request cannot be read")
	}
}
