package inbound_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// A refusal is answered where the body does not come, and where it comes the connection serves
// further requests, of known length or not.
func TestRefusalsAndTheirBodies(t *testing.T) {
	t.Parallel()
	f := newChain(t, testHandlers{})
	closed, err := contract.Route("POST /closed", false, []string{"web"})
	if err != nil {
		t.Fatal(err)
	}
	route := f.Route(closed, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") }))
	server := httptest.NewServer(f.HTTP(route, inbound.HTTPLimits{BodyTimeout: time.Hour}))
	t.Cleanup(server.Close)
	for name, tc := range map[string]struct {
		body   string // behind the rest of the header
		comes  bool
		answer int // of requests on the same connection
	}{
		"a short body":           {"Content-Length: 5\r\n\r\nhello", true, 3},
		"a chunked body":         {"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true, 3},
		"no body":                {"\r\n", true, 3},
		"one that does not come": {"Content-Length: 5\r\n\r\n", false, 1},
		"one without an end":     {"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false, 1},
		"a large one":            {"Content-Length: 5000000\r\n\r\n", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			answers := bufio.NewReader(conn)
			for n := range tc.answer {
				_, _ = fmt.Fprint(conn, "POST /closed HTTP/1.1\r\nHost: x\r\n"+tc.body)
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatalf("request %d: no answer: %v", n+1, err)
				}
				if _ = resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized || resp.Close == tc.comes {
					t.Errorf("request %d: got %d that closes: %t", n+1, resp.StatusCode, resp.Close)
				}
			}
		})
	}
}
