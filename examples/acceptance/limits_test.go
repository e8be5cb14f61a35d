package acceptance_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

const mib = 1 << 20

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	long := strings.Repeat("x", 24<<10)

	request, err := http.NewRequest(http.MethodGet, "http://"+p.rest+"/v1/hello/Ann", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", long)
	if got, err := do(newHTTPClient(t, nil), request); err != nil || got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("REST: status %d, %v", got.status, err)
	}
	if got, _, err := p.get("/livez", "X-Long", long); err != nil || got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("admin port: status %d, %v", got, err)
	}
	raw := dialRaw(t, p.grpc, p.developer())
	// One field many times over, which takes few bytes on the wire. A list of several frames ends
	// the whole connection.
	many := slices.Repeat([]hpack.HeaderField{{Name: "x-long", Value: long[:mib>>10]}}, 24)
	raw.call(1, "/hello.v1.HelloService/SayHello", many...)
	raw.until("the stream to be refused", func(f http2.Frame) bool {
		_, reset := f.(*http2.RSTStreamFrame)
		return reset && f.Header().StreamID == 1
	})
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	rest, url := newHTTPClient(t, nil), "http://"+p.rest+"/v1/hello"
	client := p.client()
	tooLong := &hellov1.SayHelloRequest{Name: strings.Repeat("x", 5*mib)}

	t.Run("REST body", func(t *testing.T) {
		got, err := fetch(rest, http.MethodPost, url, `{"name":"`+tooLong.GetName()+`"}`)
		if err != nil || got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d, %v", got.status, err)
		}
	})
	t.Run("REST body just small enough", func(t *testing.T) {
		got, err := fetch(rest, http.MethodPost, url, `{"name":"Ann"}`+strings.Repeat(" ", 4*mib-20))
		if err != nil || got.status != http.StatusOK {
			t.Errorf("status %d, %v", got.status, err)
		}
	})
	t.Run("compressed REST body", func(t *testing.T) {
		request, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Encoding", "gzip")
		if got, err := do(rest, request); err != nil || got.status != http.StatusUnsupportedMediaType {
			t.Errorf("status %d, %v", got.status, err)
		}
	})
	t.Run("gRPC message", func(t *testing.T) {
		if _, err := client.SayHello(within(t), tooLong); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("got %v, expected RESOURCE_EXHAUSTED", err)
		}
		const refused = `chassis_rpc_rejected_total{reason="too_large",rpc_method="hello.v1.HelloService/SayHello"}`
		if p.metric(refused) != 1 {
			t.Errorf("%s is not counted", refused)
		}
	})
}

// What is refused for its size must not have been held in memory before.
func TestHugeMessagesDoNotGrowMemory(t *testing.T) {
	t.Parallel()
	const most = 128 * mib // half of what is sent
	p := start(t, hello)
	rest, client := newHTTPClient(t, nil), p.client()
	p.mustCall(client, 100)

	before := p.peakMemory()
	inParallel(4, 4, func(int) {
		body := io.LimitReader(io.MultiReader(strings.NewReader(`{"name":"`), endless('x')), 64*mib)
		response, err := rest.Post("http://"+p.rest+"/v1/hello", "application/json", body)
		if err != nil {
			return // the server hung up on it, which is as good
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("64 MiB of JSON: status %d", response.StatusCode)
		}
	})
	if grown := p.peakMemory() - before; grown > most {
		t.Errorf("memory grew by %d MiB for four JSON bodies of 64 MiB", grown/mib)
	} else {
		t.Logf("JSON bodies: memory grew by %d KiB", grown>>10)
	}

	before = p.peakMemory()
	bomb := &hellov1.SayHelloRequest{Name: strings.Repeat("x", 128*mib)}
	inParallel(2, 2, func(int) {
		_, err := client.SayHello(within(t), bomb, grpc.UseCompressor(gzip.Name))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("gzip bomb: got %v, expected RESOURCE_EXHAUSTED", err)
		}
	})
	if grown := p.peakMemory() - before; grown > most {
		t.Errorf("memory grew by %d MiB for two messages of 128 MiB, compressed", grown/mib)
	} else {
		t.Logf("gzip bombs: memory grew by %d KiB", grown>>10)
	}
	p.mustCall(client, 1)
}

// endless reads as one byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestSlowClientsAreCut(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	config := ours.client(ours.issue(t, "caller", time.Hour))
	p := start(t, hello, append(newFiles(t, ours.issue(t, "hello", time.Hour), ours).env(),
		"CHASSIS_CONNECT_TIMEOUT=4s", "CHASSIS_BODY_TIMEOUT=4s")...)
	overTLS := func(addr, protocol string) func() (net.Conn, error) {
		return func() (net.Conn, error) {
			config := config.Clone()
			config.NextProtos = []string{protocol}
			return tls.Dial("tcp", addr, config)
		}
	}
	plain := func(addr string) func() (net.Conn, error) {
		return func() (net.Conn, error) { return net.Dial("tcp", addr) }
	}
	const head = "POST /v1/hello HTTP/1.1\r\nHost: localhost\r\n"
	for _, tt := range []struct {
		name, sends, answer string
		dial                func() (net.Conn, error)
	}{
		{"gRPC without a handshake", "", "", plain(p.grpc)},
		{"gRPC without the HTTP/2 preface", "", "", overTLS(p.grpc, "h2")},
		{"gRPC with half a preface", http2.ClientPreface[:10], "", overTLS(p.grpc, "h2")},
		{"REST without a handshake", "", "", plain(p.rest)},
		{"REST without a request", "", "", overTLS(p.rest, "http/1.1")},
		{"REST with half a header", head + "X-Slow: ", "", overTLS(p.rest, "http/1.1")},
		{"REST with half a body", head + "Content-Length: 100\r\n\r\n{", "HTTP/1.1 408", overTLS(p.rest, "http/1.1")},
		{"REST with half a body that no handler reads", strings.Replace(head, "/v1/hello", "/nowhere", 1) + "Content-Length: 100\r\n\r\n{", "HTTP/1.1 404", overTLS(p.rest, "http/1.1")},
		{"REST with half a chunk", head + "Transfer-Encoding: chunked\r\n\r\n10\r\n{", "HTTP/1.1 408", overTLS(p.rest, "http/1.1")},
		{"REST by HTTP/2 without the preface", "", "", overTLS(p.rest, "h2")}, // net/http has 10 s of its own for it
		{"admin port with half a header", "GET /livez HTTP/1.1\r\nX-Slow: ", "", plain(p.admin)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, err := tt.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			begun := time.Now()
			if _, err := io.WriteString(conn, tt.sends); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(begun.Add(patience))
			answer, err := io.ReadAll(conn)
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				t.Fatalf("still open after %s", patience)
			}
			if !strings.HasPrefix(string(answer), tt.answer) {
				t.Errorf("answered %q, expected %s", answer, tt.answer)
			}
			t.Logf("cut after %s", time.Since(begun).Round(time.Millisecond))
		})
	}
}

func TestConcurrentStreamsAreBounded(t *testing.T) {
	t.Parallel()
	const limit = 10
	p := start(t, hello, fmt.Sprintf("CHASSIS_MAX_CONCURRENT_STREAMS=%d", limit))
	raw := dialRaw(t, p.grpc, p.developer())
	for i := range uint32(limit + 1) {
		raw.call(2*i+1, "/hello.v1.HelloService/Count") // waits for the message that never comes
	}
	raw.until("the stream too many to be refused", func(f http2.Frame) bool {
		reset, ok := f.(*http2.RSTStreamFrame)
		if ok && (reset.StreamID != 2*limit+1 || reset.ErrCode != http2.ErrCodeRefusedStream) {
			t.Fatalf("got %v", reset)
		}
		return ok
	})
}

func TestPingsTooOftenAreCut(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	raw := dialRaw(t, p.grpc, p.developer())
	for range 5 {
		raw.must(raw.WritePing(false, [8]byte{}))
	}
	raw.until("the connection to be ended", func(f http2.Frame) bool {
		away, ok := f.(*http2.GoAwayFrame)
		if ok && (away.ErrCode != http2.ErrCodeEnhanceYourCalm || string(away.DebugData()) != "too_many_pings") {
			t.Fatalf("got %v %q", away, away.DebugData())
		}
		return ok
	})
}

func TestReflectionIsForDevelopment(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	config := ours.client(ours.issue(t, "caller", time.Hour))
	production := start(t, hello, newFiles(t, ours.issue(t, "hello", time.Hour), ours).env()...)
	if err := listServices(within(t), dial(t, production.grpc, config)); status.Code(err) != codes.Unimplemented {
		t.Errorf("production: got %v, expected UNIMPLEMENTED", err)
	}
	development := start(t, hello)
	if err := listServices(within(t), dial(t, development.grpc, development.developer())); err != nil {
		t.Errorf("development: %v", err)
	}
	for _, path := range []string{"/docs", "/openapi.json", "/debug/pprof/", "/metrics"} {
		got, err := fetch(newHTTPClient(t, config), http.MethodGet, "https://"+production.rest+path, "")
		if err != nil || got.status != http.StatusNotFound {
			t.Errorf("production: %s on the REST port: status %d, %v", path, got.status, err)
		}
	}
}

func listServices(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
	}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_, err = stream.Recv()
	return err
}

func TestDebugIsForThisMachine(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	for _, tt := range []struct {
		name, path string
		header     []string
		want       int
	}{
		{"from here", "/debug/", nil, http.StatusOK},
		{"settings from here", "/debug/config", nil, http.StatusOK},
		{"by a name that points here", "/debug/", []string{"Host", "evil.example"}, http.StatusForbidden},
		{"through a proxy", "/debug/pprof/cmdline", []string{"X-Forwarded-For", "10.1.2.3"}, http.StatusForbidden},
		{"for another site", "/debug/pprof/cmdline", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, http.StatusForbidden},
		{"metrics through a proxy", "/metrics", []string{"X-Forwarded-For", "10.1.2.3", "Host", "hello.example"}, http.StatusOK},
		{"liveness by another name", "/livez", []string{"Host", "10.1.2.3:8081"}, http.StatusOK},
	} {
		if got, body, err := p.get(tt.path, tt.header...); err != nil || got != tt.want {
			t.Errorf("%s: status %d, expected %d: %v %s", tt.name, got, tt.want, err, body)
		}
	}
}
