package acceptance_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// Bodies of 4 MiB that are announced, and of which a byte comes, cost what has come.
func TestAttackAnnouncedBodies(t *testing.T) {
	const bodies, most = 300, 16 * mib
	overTLS := startTarget(t, hello)
	plain := target{start(t, hello, "CHASSIS_LOG_REQUESTS=failed"), nil, nil}
	quiet := map[*process]float64{overTLS.process: overTLS.metric("go_goroutines"), plain.process: plain.metric("go_goroutines")}
	for _, attack := range []struct {
		name string
		s    target
		send func(s target) (net.Conn, error)
		each int // bodies on a connection
	}{
		{"HTTP/1.1", plain, func(s target) (net.Conn, error) { return announce(net.Dial("tcp", s.rest)) }, 1},
		{"HTTP/1.1 by TLS", overTLS, func(s target) (net.Conn, error) {
			config := s.caller.Clone()
			config.NextProtos = []string{"http/1.1"}
			return announce(tls.Dial("tcp", s.rest, config))
		}, 1},
		{"HTTP/2", overTLS, func(s target) (net.Conn, error) {
			f := newFlooder("rest")
			for range 100 {
				f.open(false, hpack.HeaderField{Name: "content-length", Value: "4194304"})
				_ = f.WriteData(f.stream, false, []byte("{"))
			}
			conn, err := tls.Dial("tcp", s.rest, h2(s.caller))
			if err == nil {
				_, err = f.frames.WriteTo(conn)
			}
			return conn, err
		}, 100},
		{"gRPC", overTLS, func(s target) (net.Conn, error) {
			f := newFlooder("grpc")
			for range 100 {
				f.open(false)
				_ = f.WriteData(f.stream, false, []byte{0, 0, 0x3f, 0xff, 0xff, 10}) // 4 MiB but for a byte
			}
			conn, err := tls.Dial("tcp", s.grpc, h2(s.caller))
			if err == nil {
				_, err = f.frames.WriteTo(conn)
			}
			return conn, err
		}, 100},
	} {
		t.Run(attack.name, func(t *testing.T) {
			s, goroutines := attack.s, quiet[attack.s.process]
			s.calm(t, goroutines) // after the attack before
			before := s.inUse()
			s.forgetPeak(t)
			resident := s.resident(t, "VmRSS")
			for range bodies / attack.each {
				conn, err := attack.send(s)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
			}
			// But for some calls of gRPC, which have goroutines that were there.
			await(t, "every request to wait for its body", func() bool { return s.metric("go_goroutines") >= goroutines+bodies-64 })
			during := s.inUse()
			if more := during - before; more > most {
				t.Errorf("%d announced bodies take %.1f MiB", bodies, more/mib)
			} else {
				t.Logf("%d announced bodies take %.1f MiB", bodies, more/mib)
			}
			// Of what is resident the garbage of the way there is a part, as much again at most.
			if more := s.resident(t, "VmHWM") - resident; more > 4*most {
				t.Errorf("%d MiB more were resident", more/mib)
			} else {
				t.Logf("%d MiB more were resident", more/mib)
			}
		})
	}
}

// announce posts a body of 4 MiB, and one byte of it.
func announce(conn net.Conn, err error) (net.Conn, error) {
	if err == nil {
		_, err = fmt.Fprintf(conn, "%sContent-Length: %d\r\n\r\n{", postHello, 4*mib)
	}
	return conn, err
}

// Nobody makes the service read a body, decode it or ask an issuer: the answer comes before.
func TestAttackBodiesBeforeIdentity(t *testing.T) {
	t.Parallel()
	s := startTarget(t, testservice, `CHASSIS_POLICY_OVERRIDES={"hello.v1.HelloService/SayHello": {"public": false, "callers": ["web"]}}`)
	nobody := s.caller.Clone()
	nobody.GetClientCertificate = nil
	for name, who := range map[string]struct {
		config *tls.Config
		header string
		want   int
	}{
		"nobody":              {nobody, "", 401},
		"a guessed token":     {nobody, "Authorization: Bearer guess\r\n", 401},
		"another domain":      {s.ours.client(s.ours.leaf(t, nil, "spiffe://other.example/web")), "", 403},
		"a forged identity":   {nobody, "X-Forwarded-Client-Cert: URI=spiffe://example.org/web\r\n", 401},
		"metadata of its own": {nobody, "Grpc-Metadata-Authorization: Bearer guess\r\n", 401},
	} {
		for _, path := range []string{"/v1/hello", "/handle"} {
			t.Run(name+path, func(t *testing.T) {
				config := who.config.Clone()
				config.NextProtos = []string{"http/1.1"}
				for body, sends := range map[string]string{
					"announced": fmt.Sprintf("Content-Length: %d\r\n\r\n{", 4*mib),
					"malformed": "Content-Length: 2\r\nConnection: close\r\n\r\n\xff{",
					"none":      "Content-Length: 0\r\nConnection: close\r\n\r\n",
				} {
					conn, err := tls.Dial("tcp", s.rest, config)
					if err != nil {
						t.Fatal(err)
					}
					_ = conn.SetDeadline(time.Now().Add(patience))
					_, _ = io.WriteString(conn, strings.Replace(postHello, "/v1/hello", path, 1)+who.header+sends)
					answer := make([]byte, 12)
					if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != fmt.Sprintf("HTTP/1.1 %d", who.want) {
						t.Errorf("body %s: answered %q, %v; expected %d, without more of the body", body, answer, err, who.want)
					}
					_ = conn.Close()
				}
			})
		}
	}
}

// What is small on the wire and large in memory is refused, and is never large in memory.
func TestAttackBombs(t *testing.T) {
	t.Parallel()
	const most = 128 * mib
	s := startTarget(t, hello)
	s.answersStrangers(t, "before")
	client, rest := hellov1.NewHelloServiceClient(dial(t, s.grpc, s.caller)), newHTTPClient(t, s.caller)
	bomb := &hellov1.SayHelloRequest{Name: strings.Repeat("x", 64*mib)}
	s.forgetPeak(t)
	before := s.resident(t, "VmRSS")
	if _, err := client.SayHello(within(t), bomb, grpc.UseCompressor("gzip")); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("64 MiB of gzip by gRPC: %v", err)
	}
	for name, body := range map[string]string{
		"compressed":            zipped(t, `{"name":"`+strings.Repeat("x", 20*mib)+`"}`),
		"nested":                strings.Repeat(`{"name":`, 500_000),
		"nested lists":          strings.Repeat(`[`, 3*mib),
		"a long number":         `{"name":` + strings.Repeat("1", 3*mib) + `}`,
		"a field 300,000 times": `{` + strings.Repeat(`"name":"x",`, 300_000) + `"name":"x"}`,
		"escapes":               `{"name":"` + strings.Repeat(`\u0000`, 500_000) + `"}`,
	} {
		request, err := http.NewRequest(http.MethodPost, "https://"+s.rest+"/v1/hello", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if name == "compressed" {
			request.Header.Set("Content-Encoding", "gzip")
		}
		request.Header.Set("Content-Type", "application/json")
		got, err := do(rest, request)
		if err != nil || got.status != 400 && got.status != 413 && got.status != 415 || len(got.body) > 4096 {
			t.Errorf("%s by REST: %d with %d bytes, %v", name, got.status, len(got.body), err)
		}
	}
	if more := s.resident(t, "VmHWM") - before; more > most {
		t.Errorf("%d MiB more were resident", more/mib)
	} else {
		t.Logf("%d MiB more were resident", more/mib)
	}
	s.lives(t)
	s.answersStrangers(t, "after them")
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := io.WriteString(w, text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Connections beyond the limit are closed, a place that is given back can be had at once, and the
// probes have no limit.
func TestAttackConnections(t *testing.T) {
	t.Parallel()
	const limit = 50
	s := startTarget(t, hello, fmt.Sprintf("CHASSIS_MAX_CONNECTIONS=%d", limit))
	for _, port := range []string{"grpc", "rest"} {
		t.Run(port, func(t *testing.T) {
			for range 2 {
				conns := make([]net.Conn, 0, 4*limit)
				for range 4 * limit {
					conn, err := net.Dial("tcp", s.addr(port))
					if err != nil {
						t.Fatal(err)
					}
					conns = append(conns, conn)
				}
				// Those that were refused are at their end; the others wait for a handshake.
				for _, conn := range conns[limit:] {
					_ = conn.SetReadDeadline(time.Now().Add(patience))
					if n, err := conn.Read(make([]byte, 1)); err == nil {
						t.Errorf("a connection beyond the limit reads %d bytes", n)
					}
				}
				if code, _, err := s.get("/livez"); err != nil || code != http.StatusOK {
					t.Errorf("/livez of a service that is full: %d, %v", code, err)
				}
				for _, conn := range conns {
					_ = conn.(*net.TCPConn).SetLinger(0) // it is reset
					_ = conn.Close()
				}
				await(t, "a new client to be answered", func() bool {
					config := s.caller.Clone()
					config.NextProtos = []string{map[string]string{"grpc": "h2", "rest": "http/1.1"}[port]}
					return s.speaks(t, port, config)
				})
			}
		})
	}
}

// marked are bodies that once made the redaction work: each is sent to a method whose fields are
// marked, and to one that is the same without marks.
func marked() map[string][]string {
	entries := func(n int, format string) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(format, i))
		}
		return list
	}
	return map[string][]string{
		"4 MB of text":               {strings.Repeat("secret word ", (4*mib-64<<10)/12)},
		"4 MB of text to be escaped": {strings.Repeat("\x01\x02\"<", (4*mib-64<<10)/4)},
		"300 secrets":                entries(300, "a secret that is longer than others, number %d"),
		"masks as secrets":           {"[RED", "ACTE", "D][R", "EDAC", "TED]", "[REDACTED]", "REDACTED", "][RE", "CTED][", "DACTED", "thing", "such", "no s"},
		"20,000 entries":             entries(20_000, "%05x"),
	}
}

// A caller has no more work done by a field that is marked than by one that is not, whatever it
// puts there.
func TestAttackMarks(t *testing.T) {
	s := startTarget(t, testservice)
	conn := dial(t, s.grpc, s.caller)
	const how = "[REDACTED] no such thing "
	for name, secrets := range marked() {
		t.Run(name, func(t *testing.T) {
			body := protowire.AppendTag(nil, 1, protowire.BytesType)
			body = protowire.AppendString(body, strings.Repeat(how, 100))
			for _, secret := range secrets {
				body = protowire.AppendTag(body, 2, protowire.BytesType)
				body = protowire.AppendString(body, secret)
			}
			request := new(emptypb.Empty)
			if err := proto.Unmarshal(body, request); err != nil { // of fields that are not known to it
				t.Fatal(err)
			}
			call := func(method string, times int) (seconds, allocated float64) {
				before := s.series()
				for range times {
					ctx := metadata.AppendToOutgoingContext(context.Background(), "cookie", strings.Repeat("a=[REDACTED]; ", 100))
					err := conn.Invoke(ctx, "/"+method+"/Put", request, new(emptypb.Empty))
					if got := status.Convert(err); got.Code() != codes.InvalidArgument || got.Message() != "no such thing: "+strings.Repeat(how, 100) {
						t.Fatalf("answered %.100v", err)
					}
				}
				after := s.series()
				return after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"],
					after["go_memstats_alloc_bytes_total"] - before["go_memstats_alloc_bytes_total"]
			}
			var cpu, bytes [2]float64
			calls := 0
			for round := 0; cpu[1] < attackTime(t).Seconds()/2 || round < 9; round++ {
				times := max(1, 1<<20/len(body))
				for i, method := range []string{"attack.v1.Marked", "attack.v1.Plain"} {
					seconds, allocated := call(method, times)
					if round > 0 { // the first fills pools
						cpu[i], bytes[i] = cpu[i]+seconds, bytes[i]+allocated
					}
				}
				calls += times
			}
			t.Logf("%d calls each: %.2f s of processors and %.1f MiB with marks, %.2f s and %.1f MiB without", calls, cpu[0], bytes[0]/mib, cpu[1], bytes[1]/mib)
			if bytes[0] > 1.5*bytes[1]+mib+2*float64(len(body)) { // a pool that the collector has emptied counts for a body
				t.Errorf("%.1f MiB allocated, and %.1f without marks", bytes[0]/mib, bytes[1]/mib)
			}
			// What is looked for is a factor of many, and the machine is shared.
			if cpu[0] > 3*cpu[1]+0.1 {
				t.Errorf("%.2f s of processors, and %.2f without marks", cpu[0], cpu[1])
			}
		})
	}
}
