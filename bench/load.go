package main

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// message is what is echoed: about 100 bytes as a protobuf message and as JSON.
var message = strings.Repeat("a hundred bytes or so, ", 4) + "there"

// load is an open set of connections to one server.
type load struct {
	conns []caller
}

// caller is one connection. It makes calls, several at once where the protocol can, as long as more
// says so, and returns when the last answer is there, with the number of calls that the server
// refused as UNAVAILABLE. Not for concurrent use.
type caller interface {
	call(more func() bool) (refused int, err error)
	close() error
}

// dial opens the connections. Every turn has its own, so that a server's rules on idle or old ones
// do not meddle, and opens them before the turn is measured.
func dial(c contender, addr string, certs certDir) (*load, error) {
	protocol, count := "h2", connections
	if c.rest() {
		protocol, count = "http/1.1", c.inFlight // HTTP/1.1 takes one call at a time
	}
	var config *tls.Config
	if c.tls() {
		var err error
		if config, err = certs.ClientTLS(generator, protocol); err != nil {
			return nil, err
		}
	}
	l := &load{}
	for range count {
		conn, err := dialOne(addr, config)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		if c.rest() {
			l.conns = append(l.conns, newHTTPCaller(conn))
		} else {
			l.conns = append(l.conns, newGRPCCaller(conn, c.inFlight/count, c.request))
		}
	}
	return l, nil
}

func dialOne(addr string, config *tls.Config) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil || config == nil {
		return conn, err
	}
	secured := tls.Client(conn, config)
	if err := secured.Handshake(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secured, nil
}

// run makes calls calls in a closed loop.
func (l *load) run(calls int) (ran, error) {
	var taken atomic.Int64
	more := func() bool { return taken.Add(1) <= int64(calls) }
	errs, refused := make([]error, len(l.conns)), make([]int, len(l.conns))
	began := time.Now()
	var wg sync.WaitGroup
	for i, conn := range l.conns {
		wg.Go(func() { refused[i], errs[i] = conn.call(more) })
	}
	wg.Wait()
	r := ran{took: time.Since(began)}
	for _, n := range refused {
		r.refused += n
	}
	return r, errors.Join(errs...)
}

func (l *load) close() error {
	var errs []error
	for _, conn := range l.conns {
		errs = append(errs, conn.close())
	}
	return errors.Join(errs...)
}
