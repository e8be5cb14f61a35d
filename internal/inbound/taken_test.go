package inbound_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/betmakers/paddock/internal/inbound"
)

// stuck is a connection whose Close waits, as that of TLS does for a client that does not read.
type stuck struct {
	net.Conn
	closing, let chan struct{}
}

func (s *stuck) Close() error {
	s.closing <- struct{}{}
	<-s.let
	return nil
}

// taking is a writer that gives it away.
type taking struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (w taking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// The end of streams waits for no client that does not read, and nor does who begins a stream
// meanwhile.
func TestEndStreamsDoesNotWaitForConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{})
		handlers := make(chan struct{})
		handler := f.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
				t.Error(err)
			}
			<-handlers
		}), inbound.HTTPLimits{})
		const n = 3
		conn := &stuck{closing: make(chan struct{}, n), let: make(chan struct{})}
		for range n {
			go handler.ServeHTTP(taking{httptest.NewRecorder(), conn}, httptest.NewRequest(http.MethodGet, "/", nil))
		}
		synctest.Wait()
		if ended := f.EndStreams(true); ended != n {
			t.Errorf("%d connections are ended, want %d", ended, n)
		}
		for range n {
			<-conn.closing // all of them, although none has closed yet
		}
		close(conn.let)
		close(handlers)
	})
}
