package acceptance_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// Requests for /debug that come from here by TCP, and in truth from elsewhere, or that mean it by
// another name.
func TestAttackDebug(t *testing.T) {
	t.Parallel()
	s := startTarget(t, hello)
	const local = " HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n"
	host := func(name string) string {
		return "GET /debug/config HTTP/1.1\r\nConnection: close\r\nHost: " + name + "\r\n\r\n"
	}
	header := func(field string) string { return "GET /debug/config" + local + field + "\r\n\r\n" }
	path := func(line string) string { return line + local + "X-Forwarded-For: 192.0.2.1\r\n\r\n" }
	rows := map[string]string{
		"absolute form": "GET http://evil.example/debug/config HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n\r\n",
		"two hosts":     "GET /debug/config" + local + "Host: evil.example\r\n\r\n",
		"no host":       "GET /debug/config HTTP/1.1\r\nConnection: close\r\n\r\n",
		"no HTTP/1.1":   "GET /debug/config HTTP/1.0\r\n\r\n",
		"a form of another site": "POST /debug/log-level" + local +
			"Origin: https://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\nlevel=error",
		"a form without an origin": "POST /debug/log-level" + local +
			"Origin: null\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\nlevel=error",
		"another method by a header": "POST /debug/config" + local + "Sec-Fetch-Site: cross-site\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n",
		"faults in production":       "POST /debug/faults" + local + "Content-Length: 60\r\n\r\n" + fmt.Sprintf("%-60s", `{"method":"*","abort":"UNAVAILABLE"}`),
		"log level in production":    "PUT /debug/log-level?level=error" + local + "Content-Length: 0\r\n\r\n",
	}
	for _, name := range []string{"evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "10.1.2.3", "localhost.", "[::ffff:10.1.2.3]", "user@localhost", "localhost:8081:80"} {
		rows["host "+name] = host(name)
	}
	for _, field := range []string{
		"Forwarded: for=127.0.0.1", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: localhost", "X-Forwarded-Client-Cert: URI=spiffe://example.org/sre", "X-Real-IP: 127.0.0.1", "Via: 1.1 proxy",
		"X-Envoy-External-Address: 192.0.2.1", "X-Client-Ip: 192.0.2.1", "True-Client-Ip: 192.0.2.1", "Cf-Connecting-Ip: 192.0.2.1", "L5d-Client-Id: web", "X_Forwarded_For: 192.0.2.1", "Fly-Client-Ip: 192.0.2.1",
		"Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
	} {
		rows["header "+field] = header(field)
	}
	for _, line := range []string{"GET //debug/config", "GET /../debug/config", "GET /%64ebug/config", "GET /./debug/config", "GET /metrics/../debug/config", "GET /debug/../debug/pprof/heap", "GET /DEBUG/config", "GET /debug%2fconfig", "GET /debug;/config", "OPTIONS /debug/config", "HEAD /debug/config"} {
		rows[line] = path(line)
	}
	for name, sends := range rows {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.admin)
			if err != nil {
				t.Fatal(err)
			}
			answers := exchange(t, conn, sends)
			statuses := statusesOf(answers)
			if len(statuses) != 1 || !slices.Contains([]int{301, 307, 308, 400, 403, 404, 405}, statuses[0]) {
				t.Errorf("answered %d: %.200s", statuses, answers)
			}
			if bytes.Contains(answers, []byte("CHASSIS_TLS_KEY_FILE")) || bytes.Contains(answers, []byte("Location: http")) || bytes.Contains(answers, []byte("Location: //")) {
				t.Errorf("answered %.300s", answers)
			}
		})
	}
	if code, body, err := s.get("/debug/config"); err != nil || code != 200 || !strings.Contains(body, "CHASSIS_TLS_KEY_FILE") {
		t.Errorf("the control, from here: %d, %v", code, err)
	}
	if code, body, err := s.get("/debug/log-level"); err != nil || code != 200 || strings.Contains(strings.ToUpper(body), "ERROR") {
		t.Errorf("the log level after the attack: %d %s, %v", code, body, err)
	}
	s.answersStrangers(t, "after them")
}

// Behind a proxy that says nothing, loopback proves nobody: with the setting for it nothing is
// shown.
func TestAttackDebugThroughASilentProxy(t *testing.T) {
	t.Parallel()
	s := startTarget(t, hello, "CHASSIS_DEBUG_LOOPBACK=false")
	for _, path := range []string{"/debug", "/debug/", "/debug/config", "/debug/status.json", "/debug/pprof/heap", "/debug/pprof/", "/debug/log-level", "/debug/flight", "/debug/faults"} {
		if code, _, err := s.get(path, "Host", "localhost"); err != nil || code != http.StatusForbidden {
			t.Errorf("%s: %d, %v", path, code, err)
		}
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 200} {
		if code, _, err := s.get(path); err != nil || code != want {
			t.Errorf("%s: %d, %v", path, code, err)
		}
	}
}

// What only operators may see is on no port that callers reach in production.
func TestAttackWhatIsServedInProduction(t *testing.T) {
	t.Parallel()
	s := startTarget(t, testservice)
	rest := newHTTPClient(t, s.caller)
	for _, path := range []string{"/docs", "/docs/", "/openapi.json", "/debug/", "/debug/pprof/", "/debug/vars", "/debug/requests", "/debug/events", "/debug/config", "/metrics", "/livez", "/.env", "/.git/config", "/server-status", "/swagger.json"} {
		if got, err := fetch(rest, http.MethodGet, "https://"+s.rest+path, ""); err != nil || got.status != http.StatusNotFound {
			t.Errorf("REST %s: %d, %v", path, got.status, err)
		}
	}
	for _, path := range []string{"/debug/vars", "/debug/requests", "/debug/events"} {
		if code, _, err := s.get(path); err != nil || code != http.StatusNotFound {
			t.Errorf("admin %s: %d, %v", path, code, err)
		}
	}
	if code, body, err := s.get("/debug/pprof/cmdline"); err != nil || strings.Contains(body, s.cmd.Path) {
		t.Errorf("the command line is shown: %d %s, %v", code, body, err)
	}
	conn := dial(t, s.grpc, s.caller)
	for _, method := range []string{
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		"/grpc.channelz.v1.Channelz/GetServers", "/grpc.channelz.v1.Channelz/GetTopChannels", "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus",
		"/hello.v1.HelloService/sayhello", "/hello.v1.HelloService/", "//SayHello", "/hello.v1.HelloService/SayHello/x", "/hello.v1.HelloService%2fSayHello",
	} {
		if err := conn.Invoke(within(t), method, new(emptypb.Empty), new(emptypb.Empty)); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", method, err)
		}
	}
	for _, name := range []string{"panic", "error"} { // nothing of the inside comes out
		var trailer metadata.MD
		_, err := hellov1.NewHelloServiceClient(conn).SayHello(within(t), &hellov1.SayHelloRequest{Name: name}, grpc.Trailer(&trailer))
		got, fetchErr := fetch(rest, http.MethodGet, "https://"+s.rest+"/v1/hello/"+name, "")
		if text := fmt.Sprint(err, trailer, got.body, got.header, fetchErr); err == nil || got.status != 500 || strings.Contains(text, "kaboom") || strings.Contains(text, ".go:") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// Headers by which a caller of REST would set what only the chassis or a caller of gRPC sets. None
// reaches a handler.
func TestAttackMetadata(t *testing.T) {
	t.Parallel()
	s := startTarget(t, testservice)
	request, err := http.NewRequest(http.MethodGet, "https://"+s.rest+"/v1/hello/metadata", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"Grpc-Metadata-Authorization", "Grpc-Metadata-Grpcgateway-Authorization", "Grpc-Metadata-Grpcgateway-Cookie", "Grpc-Metadata-X-Forwarded-For",
		"Grpc-Metadata-X-Forwarded-Host", "Grpc-Metadata-X-Forwarded-Client-Cert", "Grpc-Metadata-X-User-Id", "Grpc-Metadata-Paddock-Criticality",
		"Grpc-Metadata-Traceparent", "Grpc-Metadata-Baggage", "Grpc-Metadata-User-Agent", "Grpc-Metadata-Grpc-Previous-Rpc-Attempts", "Grpc-Metadata-Grpc-Timeout",
		"Grpc-Metadata-Paddock-Deadline", "Paddock-Criticality", "X-Forwarded-Client-Cert", "Grpcgateway-Authorization", "Grpc-Metadata-Host", "Grpc-Metadata-Bin-Bin",
	} {
		request.Header.Set(name, "forgery")
	}
	got, err := do(newHTTPClient(t, s.caller), request)
	if err != nil || got.status != 200 {
		t.Fatalf("answered %d %s, %v", got.status, got.body, err)
	}
	if strings.Contains(got.body, "forgery") {
		t.Errorf("the handler was given %s", got.body)
	}
}

// No header gives a caller another bucket of the rate limit.
func TestAttackRateLimit(t *testing.T) {
	t.Parallel()
	nobody := func(s target) *tls.Config {
		config := s.caller.Clone()
		config.GetClientCertificate = nil
		return config
	}
	const limit, calls = 3, 20
	for name, header := range map[string]func(i int) string{
		"X-Forwarded-For": func(i int) string { return fmt.Sprintf("10.0.0.%d", i) },
		"Forwarded":       func(i int) string { return fmt.Sprintf("for=10.0.0.%d", i) },
		"X-Real-Ip":       func(i int) string { return fmt.Sprintf("10.0.0.%d", i) },
		"Authorization":   func(i int) string { return fmt.Sprintf("Bearer guess-%d", i) }, // each guess takes from the address
		"User-Agent":      func(i int) string { return fmt.Sprintf("agent/%d", i) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startTarget(t, hello, fmt.Sprintf("CHASSIS_RATE_LIMIT=%d/m", limit))
			client, answers := newHTTPClient(t, nobody(s)), map[int]int{}
			for i := range calls {
				request, err := http.NewRequest(http.MethodGet, "https://"+s.rest+"/v1/hello/Ann", nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set(name, header(i))
				got, err := do(client, request)
				if err != nil {
					t.Fatal(err)
				}
				answers[got.status]++
			}
			// A machine that is slow sees a bucket fill a little.
			if answers[http.StatusTooManyRequests] < calls-2*limit {
				t.Errorf("answers %v, for a limit of %d a minute", answers, limit)
			}
		})
	}
}

// What callers send stands in lines of the log as text: it makes no line of its own, and moves no
// cursor.
func TestAttackLog(t *testing.T) {
	t.Parallel()
	const forged = "\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\x1b[2J\u009b\u202e"
	s := startTarget(t, testservice, "CHASSIS_LOG_REQUESTS=all")
	rest := newHTTPClient(t, s.caller)
	for _, path := range []string{"/x%0a%7b%22msg%22:%22forged%22%7d%1b[2J%c2%9b%e2%80%ae", "/v1/hello/%0a%7b%22msg%22:%22forged%22%7d%1b[2J%c2%9b%e2%80%ae"} {
		if _, err := fetch(rest, http.MethodGet, "https://"+s.rest+path, ""); err != nil {
			t.Error(err)
		}
	}
	conn := dial(t, s.grpc, s.caller)
	_ = conn.Invoke(within(t), "/x\n{\"msg\":\"forged\"}/M", new(emptypb.Empty), new(emptypb.Empty))
	for _, field := range []string{"traceparent", "user-agent", "x-request-id"} {
		ctx := metadata.AppendToOutgoingContext(within(t), field, "00-{\"msg\":\"forged\"}")
		_, _ = hellov1.NewHelloServiceClient(conn).SayHello(ctx, &hellov1.SayHelloRequest{Name: forged})
	}
	s.signal(syscall.SIGTERM)
	s.exitCode()
	lines := s.log.tail(1 << 20)
	if !strings.Contains(lines, "forged") {
		t.Error("nothing of it is in the log")
	}
	for line := range strings.SplitSeq(lines, "\n") {
		if strings.HasPrefix(line, `{"level":"ERROR","msg":"forged"`) || strings.HasPrefix(line, `{"msg":"forged"`) || strings.ContainsAny(line, "\x1b\u009b\u202e\r") {
			t.Errorf("a line of the caller's: %q", line)
		}
	}
	if bad := s.log.broken(); len(bad) > 0 {
		t.Errorf("lines that are no JSON: %q", bad)
	}
}
