package admin_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/admin"
)

// deadlines is a writer that knows whether a write has a deadline.
type deadlines struct {
	*httptest.ResponseRecorder
	armed      bool
	free, most int // writes without a deadline, and the largest one
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.armed = !at.IsZero()
	return nil
}

func (d *deadlines) Write(p []byte) (int, error) {
	if !d.armed {
		d.free++
	}
	d.most = max(d.most, len(p))
	return d.ResponseRecorder.Write(p)
}

// Each write has a deadline, and nothing has one between writes: a profile may take its time.
func TestEachWriteHasADeadline(t *testing.T) {
	var between []bool
	large := bytes.Repeat([]byte("x"), 1<<20)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder(), armed: true} // as the request before has left it
	h := admin.New(admin.Config{WriteTimeout: time.Minute, Metrics: http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		for _, part := range [][]byte{[]byte("small"), nil, large} {
			between = append(between, w.armed)
			if n, err := out.Write(part); n != len(part) || err != nil {
				t.Errorf("wrote %d: %v", n, err)
			}
		}
		if err := http.NewResponseController(out).Flush(); err != nil {
			t.Error(err)
		}
		between = append(between, w.armed)
	})})
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, armed := range between {
		if armed {
			t.Errorf("a deadline runs while nothing is written: %v", between)
		}
	}
	if w.free > 0 || w.most > 64<<10 || !w.armed || w.Body.Len() != len(large)+5 {
		t.Errorf("%d writes without deadline, the largest of %d bytes, %d in all, and for what net/http writes: %v", w.free, w.most, w.Body.Len(), w.armed)
	}
}

// Readers that do not read hold nothing for longer than a write may take. Others are not cut,
// however often they come.
func TestReadersThatDoNotReadAreCut(t *testing.T) {
	const silent = 10
	page := strings.Repeat("metric 1\n", 1_000_000) // more than sockets hold
	h := admin.New(admin.Config{WriteTimeout: time.Second, Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, page)
	})})
	server := httptest.NewUnstartedServer(h)
	closed := make(chan struct{}, silent)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	ask := func() net.Conn {
		conn, err := net.Dial("tcp", server.Listener.Addr().String()) //nolint:noctx // loopback
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for range silent {
		ask()
	}
	for range silent {
		select {
		case <-closed:
		case <-time.After(time.Minute):
			t.Fatal("a reader that does not read holds its connection")
		}
	}

	honest := ask()
	in := bufio.NewReader(honest)
	for n := range 3 { // on one connection
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(answer.Body); err != nil || len(body) != len(page) {
			t.Errorf("an honest reader got %d bytes: %v", len(body), err)
		}
		if n < 2 {
			if _, err := io.WriteString(honest, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = honest.Close()
	<-closed
	server.Close()
}
