package chassis

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowConn holds back what comes while it is told to, as a busy machine does. By then the read has
// ended, and no deadline of it counts any more.
type slowConn struct {
	net.Conn
	slow             atomic.Bool
	arrived, release chan struct{}
}

func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.slow.CompareAndSwap(true, false) {
		close(c.arrived)
		<-c.release
	}
	return n, err
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn chan net.Conn
	done chan struct{}
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// serveOne serves one connection, and returns the client's side of it after a first request.
func serveOne(t *testing.T, leaving *bool) (*httpServer, *slowConn, net.Conn, *bufio.Reader) {
	t.Helper()
	clientSide, serverSide := net.Pipe()
	slow := &slowConn{Conn: serverSide, arrived: make(chan struct{}), release: make(chan struct{})}
	l := &oneConn{make(chan net.Conn, 1), make(chan struct{})}
	l.conn <- slow
	idle := newIdleConns()
	s := &httpServer{listener: l, done: make(chan error, 1), idle: idle, Server: &http.Server{
		ReadHeaderTimeout: time.Minute, ConnState: idle.track,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if *leaving {
				w.Header().Set("Connection", "close")
			}
		}),
	}}
	s.serve()
	answers := bufio.NewReader(clientSide)
	if _, err := clientSide.Write([]byte(anyRequest)); err != nil {
		t.Fatal(err)
	}
	expectAnswer(t, answers)
	synctest.Wait() // the connection is idle
	return s, slow, clientSide, answers
}

const anyRequest = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

func expectAnswer(t *testing.T, answers *bufio.Reader) {
	t.Helper()
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	_ = resp.Body.Close()
}

// A request that has come before the end is answered, though the server has not seen it yet.
func TestRequestOnAnIdleConnectionIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaving := false
		s, slow, client, answers := serveOne(t, &leaving)
		slow.slow.Store(true)
		go func() { _, _ = client.Write([]byte(anyRequest)) }()
		<-slow.arrived
		leaving = true
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.finish(context.Background())
		}()
		synctest.Wait()
		close(slow.release)
		expectAnswer(t, answers)
		<-ended
	})
}

// A connection that is truly idle delays nothing.
func TestIdleConnectionEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaving := false
		s, _, _, answers := serveOne(t, &leaving)
		begun := time.Now()
		s.finish(context.Background())
		if took := time.Since(begun); took > idleTime/2 {
			t.Errorf("it took %s", took)
		}
		if _, err := answers.ReadByte(); err == nil || !strings.Contains(err.Error(), "EOF") {
			t.Errorf("the connection is still open: %v", err)
		}
	})
}
