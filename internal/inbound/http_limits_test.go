package inbound_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

func TestBodyTooLarge(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo})
	url := f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{MaxBody: 1000})
	for size, want := range map[int]int{0: 200, 1: 200, 999: 200, 1000: 200, 1001: 413, 100_000: 413} {
		for name, announced := range map[string]bool{"announced": true, "chunked": false} {
			t.Run(fmt.Sprintf("%d %s", size, name), func(t *testing.T) {
				body := strings.NewReader(strings.Repeat("x", size))
				var got answer
				if announced {
					got = ask(t, "POST", url+"/unary", body)
				} else {
					got = ask(t, "POST", url+"/unary", struct{ *bufio.Reader }{bufio.NewReader(body)})
				}
				if got.status != want {
					t.Fatalf("answered %d, want %d", got.status, want)
				}
				if want == http.StatusRequestEntityTooLarge {
					if p := got.problem(t); p["code"] != nil || !got.close {
						t.Errorf("the answer is %v, closing: %v", p, got.close)
					}
				}
			})
		}
	}
	f.wantValue(t, requestsMetric, labels{"http_response_status_code": "413"}, 4)
}

// send writes a request as it is and returns the answer, and whether the server closed the
// connection behind it.
func send(t *testing.T, url, request string) (*http.Response, bool) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil { // a server that waits for ever fails the test
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	for err == nil {
		_, err = response.Body.Read(make([]byte, 100))
	}
	_, err = r.ReadByte()
	return response, err != nil
}

// A body that is announced and does not come holds a connection for its time and no longer, whoever
// waits for it.
func TestBodyTooSlow(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo, stream: func(grpc.ServerStream) error { return nil }})
	url := f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{BodyTimeout: 30 * time.Millisecond, MaxBody: 1000})
	for name, tc := range map[string]struct {
		request string
		status  int
	}{
		"half of it":                   {"POST /unary HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf", 408},
		"chunks that stop":             {"POST /unary HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 408},
		"of a route that is none":      {"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", 404},
		"of a refused request":         {"POST /unary HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n", 415},
		"of a handler that reads none": {"GET /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			response, closed := send(t, url, tc.request)
			if response.StatusCode != tc.status || !closed {
				t.Errorf("answered %d, connection closed: %v, want %d and closed", response.StatusCode, closed, tc.status)
			}
		})
	}
}

// The limits are a body's own: a connection that had one serves the next request.
func TestConnectionLivesAfterABody(t *testing.T) {
	leakcheck.Check(t)
	release := make(chan struct{})
	f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { <-release; return in, nil }})
	url := f.serveHTTP(t, f.restRoutes(inbound.RESTConfig{}), inbound.HTTPLimits{BodyTimeout: 20 * time.Millisecond, MaxBody: 1000})
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	time.AfterFunc(60*time.Millisecond, func() { close(release) }) // the handler takes longer than a body may
	for range 3 {
		response, err := client.Post(url+"/unary", "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("answered %s", response.Status)
		}
	}
}
