package admin_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/admin"
)

// A body that is announced and does not come keeps nobody from the answer, and where it is to be
// read its time ends.
func TestBodiesThatDoNotCome(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(admin.New(admin.Config{
		Level: new(slog.LevelVar),
		Livez: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	}))
	t.Cleanup(server.Close)
	for request, want := range map[string]int{
		"GET /livez": 200, "POST /livez": 405, "GET /nowhere": 404, "GET /debug/config": 200, "PUT /debug/log-level": 400,
	} {
		for _, length := range []int{10, 100_000, 10_000_000} {
			t.Run(fmt.Sprint(request, " with ", length), func(t *testing.T) {
				t.Parallel()
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_, _ = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", request, length)
				_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("no answer: %v", err)
				}
				if _ = resp.Body.Close(); resp.StatusCode != want {
					t.Errorf("got %d, want %d", resp.StatusCode, want)
				}
			})
		}
	}
}

// A body that comes leaves the connection for the next request.
func TestBodiesLeaveTheConnection(t *testing.T) {
	server := httptest.NewServer(admin.New(admin.Config{
		Livez: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	}))
	defer server.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for range 3 {
		_, _ = fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
		resp, err := http.ReadResponse(answers, nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("got %v, %v", resp, err)
		}
		_ = resp.Body.Close()
	}
}
