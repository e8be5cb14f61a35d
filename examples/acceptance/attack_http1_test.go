package acceptance_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// refused are the answers to what is no request that is served here.
var refused = []int{400, 404, 405, 411, 413, 414, 415, 417, 426, 431, 501, 505}

// postHello is the begin of a request with a body.
const postHello = "POST /v1/hello HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

// http1 are requests that parsers have been led astray with. Behind each one stands another, which
// must not be answered where the first is refused: what a server takes for a body, a proxy may have
// taken for a request, or the other way round.
var http1 = []struct {
	name, sends string
	want        []int // nil: refused
	goesOn      bool  // what stands behind it is a request of its own
}{
	{name: "length and chunks", sends: postHello + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", want: []int{200, 400}, goesOn: true},
	{name: "chunks and length", sends: postHello + "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n2\r\n{}\r\n0\r\n\r\n", want: []int{200, 400}, goesOn: true},
	{name: "two lengths", sends: postHello + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "},
	{name: "two lengths in one", sends: postHello + "Content-Length: 2, 3\r\n\r\n{} "},
	{name: "signed length", sends: postHello + "Content-Length: +2\r\n\r\n{}"},
	{name: "hexadecimal length", sends: postHello + "Content-Length: 0x2\r\n\r\n{}"},
	{name: "negative length", sends: postHello + "Content-Length: -2\r\n\r\n{}"},
	{name: "length beyond 64 bits", sends: postHello + "Content-Length: 18446744073709551618\r\n\r\n{}"},
	{name: "length with a fraction", sends: postHello + "Content-Length: 2.0\r\n\r\n{}"},
	{name: "empty length", sends: postHello + "Content-Length:\r\n\r\n{}"},
	{name: "unknown transfer encoding", sends: postHello + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
	{name: "chunked twice", sends: postHello + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
	{name: "chunked in two fields", sends: postHello + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
	{name: "identity", sends: postHello + "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}"},
	{name: "compressed and chunked", sends: postHello + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
	{name: "a blank before the colon", sends: postHello + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
	{name: "a control character in an encoding", sends: postHello + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"},
	{name: "bare line feeds in chunks", sends: postHello + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"},
	{name: "a chunk of negative size", sends: postHello + "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n"},
	{name: "a chunk beyond 64 bits", sends: postHello + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n"},
	{name: "a long chunk extension", sends: postHello + "Transfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("x", 20<<10) + "\r\n{}\r\n0\r\n\r\n"},
	{name: "no host", sends: "GET /v1/hello/Ann HTTP/1.1\r\n\r\n"},
	{name: "two hosts", sends: "GET /v1/hello/Ann HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
	{name: "NUL in a value", sends: "GET /v1/hello/Ann HTTP/1.1\r\nHost: a\r\nX-Nul: a\x00b\r\n\r\n"},
	{name: "a line feed in a value", sends: "GET /v1/hello/Ann HTTP/1.1\r\nHost: a\r\nX-Line: a\rb\r\n\r\n"},
	{name: "a blank in a name", sends: "GET /v1/hello/Ann HTTP/1.1\r\nHost: a\r\nX Blank: a\r\n\r\n"},
	{name: "HTTP/0.9", sends: "GET /v1/hello/Ann\r\n"},
	{name: "HTTP/3 in a line", sends: "GET /v1/hello/Ann HTTP/3.0\r\nHost: a\r\n\r\n"},
	{name: "the preface of HTTP/2", sends: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{name: "an upgrade to h2c", sends: "GET /v1/hello/Ann HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", want: []int{200}, goesOn: true},
	{name: "CONNECT", sends: "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n", goesOn: true},
	{name: "TRACE", sends: "TRACE /v1/hello/Ann HTTP/1.1\r\nHost: a\r\nX-Echo: echoed\r\n\r\n", goesOn: true},
	{name: "a header of 20 kB", sends: "GET /v1/hello/Ann HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("x", 20<<10) + "\r\n\r\n"},
	{name: "5,000 fields", sends: "GET /v1/hello/Ann HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Many: x\r\n", 5000) + "\r\n"},
	{name: "a line of 40 kB", sends: "GET /v1/hello/" + strings.Repeat("x", 40<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n"},
	{name: "an expectation of something else", sends: postHello + "Content-Length: 2\r\nExpect: 200-ok\r\n\r\n{}", want: []int{417}, goesOn: true},
	{name: "a compressed body", sends: postHello + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", want: []int{415}, goesOn: true},
	{name: "asked for another site's leave", sends: "OPTIONS /v1/hello HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n", want: []int{204}, goesOn: true},
	{name: "gRPC at the port of REST", sends: "POST /hello.v1.HelloService/SayHello HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\x00\x00\x00\x00\x00", goesOn: true},
	{name: "another server's URL", sends: "GET http://evil.example/nowhere HTTP/1.1\r\nHost: a\r\n\r\n", goesOn: true},
	{name: "another method by a header", sends: "POST /v1/hello/Ann HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n", goesOn: true},
}

const smuggled = "GET /v1/hello/smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

func TestAttackHTTP1(t *testing.T) {
	t.Parallel()
	s := startTarget(t, hello)
	config := s.caller.Clone()
	config.NextProtos = []string{"http/1.1"}
	for _, attack := range http1 {
		t.Run(attack.name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", s.rest, config)
			if err != nil {
				t.Fatal(err)
			}
			answers := exchange(t, conn, attack.sends+smuggled)
			statuses := statusesOf(answers)
			want := attack.want
			if want == nil {
				want = refused
			}
			// Nothing at all and an end are a refusal too.
			if len(statuses) > 0 && !slices.Contains(want, statuses[0]) || (attack.want != nil || attack.goesOn) && len(statuses) == 0 {
				t.Errorf("answered %d, expected one of %d: %.300s", statuses, want, answers)
			}
			if !attack.goesOn && (len(statuses) > 1 || bytes.Contains(answers, []byte("smuggled"))) {
				t.Errorf("what stands behind it was answered: %d %.600s", statuses, answers)
			}
			for _, leak := range []string{"echoed", "101 Switching", "Access-Control-Allow-Origin", "goroutine"} {
				if bytes.Contains(answers, []byte(leak)) {
					t.Errorf("%q is in the answer: %.600s", leak, answers)
				}
			}
		})
	}
	s.answersStrangers(t, "after them")
	if text := s.stderr.String(); text != "" {
		t.Errorf("standard error has: %s", text)
	}
}

// exchange sends text and returns all that comes until the server ends the connection.
func exchange(t *testing.T, conn net.Conn, text string) []byte {
	t.Helper()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, text) // the server may have had enough in the middle
	}()
	answers, err := io.ReadAll(conn)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		t.Errorf("still open after %s, with %.300s", patience, answers)
	}
	_ = conn.Close()
	<-sent
	return answers
}

// statusesOf returns the status of each answer.
func statusesOf(answers []byte) (statuses []int) {
	for _, part := range bytes.Split(answers, []byte("HTTP/1."))[1:] {
		if len(part) > 5 && part[1] == ' ' {
			statuses = append(statuses, int(part[2]-'0')*100+int(part[3]-'0')*10+int(part[4]-'0'))
		}
	}
	return statuses
}

// Paths by which what is guarded by its path was reached elsewhere. Not one leads to a handler, or
// to another host.
func TestAttackPaths(t *testing.T) {
	t.Parallel()
	s := startTarget(t, hello)
	config := s.caller.Clone()
	config.NextProtos = []string{"http/1.1"}
	for _, path := range []string{
		"/v1/..%2fv1/hello/Ann", "//v1/hello/Ann", "//evil.example/v1/hello", "//evil.example/..", "/./v1/hello/Ann",
		"/x/../v1/hello/Ann", "/V1/HELLO/Ann", "/v1/hello/Ann/", "/v1/hello/%zz", "/hello.v1.HelloService/SayHello", "/v1/hello//", "/v1;x/hello/Ann",
		"/%2e%2e/v1/hello/Ann", `/v1\hello\Ann`, "/v1/hello/Ann/count/..", "*", "",
	} {
		t.Run(path, func(t *testing.T) {
			conn, err := tls.Dial("tcp", s.rest, config)
			if err != nil {
				t.Fatal(err)
			}
			answers := exchange(t, conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			statuses := statusesOf(answers)
			if len(statuses) != 1 || !slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed}, statuses[0]) {
				t.Errorf("answered %d: %.300s", statuses, answers)
			}
			if bytes.Contains(answers, []byte("Hello")) || bytes.Contains(answers, []byte("\r\nLocation: ")) {
				t.Errorf("answered %.300s", answers)
			}
		})
	}
}

// An encoded slash is a part of the segment that it stands in, as google/api/http.proto has it: it
// leads to no other route.
func TestEncodedSlashesAreText(t *testing.T) {
	t.Parallel()
	s := startTarget(t, hello)
	config := s.caller.Clone()
	config.NextProtos = []string{"http/1.1"}
	for path, want := range map[string]string{
		"/v1/hello/A%2fnn":   `"Hello, A/nn!"`,
		"/v1/hello/..%2fAnn": `"Hello, ../Ann!"`,
	} {
		conn, err := tls.Dial("tcp", s.rest, config)
		if err != nil {
			t.Fatal(err)
		}
		answers := exchange(t, conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if statuses := statusesOf(answers); !slices.Equal(statuses, []int{http.StatusOK}) || !bytes.Contains(answers, []byte(want)) {
			t.Errorf("%s: answered %d: %.300s", path, statuses, answers)
		}
	}
}
