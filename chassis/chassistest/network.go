package chassistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/test/bufconn"
)

// bufferSize is the buffer of a connection in each direction, in bytes.
const bufferSize = 64 << 10

// network holds the service's ports in memory, by name, and the clients of the test.
type network struct {
	mu      sync.Mutex
	ports   map[string]*listener
	clients []func()
	dialled atomic.Int32 // connections, to number them
}

func newNetwork() *network { return &network{ports: map[string]*listener{}} }

// portNumbers are the ports in displayed addresses. Nothing listens on them.
var portNumbers = map[string]int{"grpc": 9000, "http": 8080, "admin": 8081}

func (n *network) listen(_ context.Context, port, _ string) (net.Listener, error) {
	l := &listener{Listener: bufconn.Listen(bufferSize), addr: loopback(portNumbers[port])}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports[port] = l
	return l, nil
}

// open reports whether the service has opened a port.
func (n *network) open(port string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ports[port] != nil
}

func (n *network) dial(ctx context.Context, port string) (net.Conn, error) {
	n.mu.Lock()
	l := n.ports[port]
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("chassistest: the service has not opened its %s port", port)
	}
	raw, err := l.DialContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("chassistest: the service's %s port is closed: %w", port, err)
	}
	return &conn{Conn: raw, local: loopback(40000 + int(n.dialled.Add(1))), remote: l.addr}, nil
}

// onClose adds a function that closes a client at the end of the test.
func (n *network) onClose(closeClient func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clients = append(n.clients, closeClient)
}

func (n *network) closeClients() {
	n.mu.Lock()
	clients := n.clients
	n.clients = nil
	n.mu.Unlock()
	for _, closeClient := range clients {
		closeClient()
	}
}

// listener gives connections in memory loopback addresses, because code that reads a caller's
// address expects one.
type listener struct {
	*bufconn.Listener
	addr     net.Addr
	accepted atomic.Int32
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, net.ErrClosed
	}
	return &conn{Conn: raw, local: l.addr, remote: loopback(40000 + int(l.accepted.Add(1)))}, nil
}

type conn struct {
	net.Conn
	local, remote net.Addr

	mu       sync.Mutex
	deadline time.Time // of reads; zero for none
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetReadDeadline(t)
}

// Read repeats a read that ended by a deadline which was already replaced: the timer of bufconn
// may fire during the replacement, and would then end every later read.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		var timeout interface{ Timeout() bool }
		if n > 0 || !errors.As(err, &timeout) || !timeout.Timeout() || c.due() {
			return n, err
		}
	}
}

// due reports whether the deadline has passed. If not, it sets the deadline of the connection
// again.
func (c *conn) due() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		return true
	}
	_ = c.Conn.SetReadDeadline(c.deadline) // in memory it cannot fail
	return false
}

func loopback(port int) net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }
