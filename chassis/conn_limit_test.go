package chassis_test

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/betmakers/paddock/chassis/internal/echo"
)

// from is a listener whose connections come from an address of the test's choice.
type from struct {
	net.Listener
	addr chan net.Addr
}

type fromConn struct {
	net.Conn
	addr net.Addr
}

func (l from) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fromConn{conn, <-l.addr}, nil
}

func (c fromConn) RemoteAddr() net.Addr { return c.addr }

// limited runs a service and returns what connects to one of its ports from an address, and what
// reads its metrics.
func limited(t *testing.T, port string, settings ...string) (dial func(ip string) net.Conn, metrics func() string) {
	t.Helper()
	addrs := make(chan net.Addr, 1)
	ports := listening(t, echoes(&echo.Service{}), func(name string, l net.Listener) net.Listener {
		if name == port {
			return from{l, addrs}
		}
		return l
	}, settings...)
	dial = func(ip string) net.Conn {
		t.Helper()
		addrs <- &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}
		conn, err := net.Dial("tcp", ports[port])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	return dial, func() string { return rawRequest(t, ports["admin"], "GET /metrics HTTP/1.0\r\n\r\n") }
}

func rawRequest(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // of a test
	_, _ = io.WriteString(conn, text)
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// served reports whether a connection was taken: the server says something on it when it is spoken
// to.
func served(conn net.Conn, port string) bool {
	hello := "GET /v1/say HTTP/1.1\r\nHost: a\r\n\r\n"
	if port == "grpc" {
		hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	}
	_, _ = io.WriteString(conn, hello)
	n, _ := conn.Read(make([]byte, 1))
	return n == 1
}

// A port has as many connections as it may have, a place that is given back can be had again,
// however the connection ended, and the probes have no limit.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	for _, port := range []string{"http", "grpc"} {
		t.Run(port, func(t *testing.T) {
			t.Parallel()
			dial, metrics := limited(t, port, "CHASSIS_MAX_CONNECTIONS=3")
			var conns []net.Conn
			for i := range 3 {
				conns = append(conns, dial("127.0.0.1"))
				if !served(conns[i], port) {
					t.Fatalf("connection %d of 3 was refused", i+1)
				}
			}
			for range 5 {
				if served(dial("192.0.2.1"), port) {
					t.Error("a fourth connection was served")
				}
			}
			expectAll(t, metrics(), fmt.Sprintf(`chassis_connections_refused_total{port=%q,reason="total"} 5`, port))
			for _, conn := range conns[:2] {
				_ = conn.(*net.TCPConn).SetLinger(0) // it is reset
				_ = conn.Close()
			}
			_ = conns[2].Close()
			for range 3 {
				eventually(t, "the server has seen the end", func() bool { return served(dial("192.0.2.1"), port) })
			}
		})
	}
}

// Connections that end in the middle of their handshake leave no place behind.
func TestBrokenHandshakesKeepNoPlace(t *testing.T) {
	t.Parallel()
	for _, port := range []string{"http", "grpc"} {
		t.Run(port, func(t *testing.T) {
			t.Parallel()
			dial, _ := limited(t, port, "CHASSIS_MAX_CONNECTIONS=4")
			for i := range 200 {
				conn := dial("127.0.0.1").(*net.TCPConn)
				_, _ = io.WriteString(conn, []string{"", "PRI", "\x16\x03\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HT"}[i%5])
				_ = conn.SetLinger(i % 2)
				_ = conn.Close()
			}
			eventually(t, "a connection is served", func() bool { return served(dial("127.0.0.1"), port) })
		})
	}
}

// The limit of an address is that of a network of 64 bits of IPv6, and loopback has none: a proxy
// of the same pod brings everybody's connections from there.
func TestMaxConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	dial, metrics := limited(t, "http", "CHASSIS_MAX_CONNECTIONS_PER_ADDRESS=2", "CHASSIS_MAX_CONNECTIONS=0")
	for _, row := range []struct {
		ip   string
		want bool
	}{
		{"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", false}, {"192.0.2.2", true}, {"::ffff:192.0.2.1", false},
		{"2001:db8::1", true}, {"2001:db8::2", true}, {"2001:db8::3", false}, {"2001:db8:0:1::1", true},
		{"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.6", true}, {"::1", true}, {"::1", true}, {"::1", true},
	} {
		if got := served(dial(row.ip), "http"); got != row.want {
			t.Errorf("%s: served %t, want %t", row.ip, got, row.want)
		}
	}
	expectAll(t, metrics(), `chassis_connections_refused_total{port="http",reason="address"} 3`)
}

// Whoever sets nothing has more connections than honest clients make, from one address too.
func TestManyConnectionsByDefault(t *testing.T) {
	t.Parallel()
	dial, metrics := limited(t, "http")
	for range 300 {
		if !served(dial("192.0.2.1"), "http") {
			t.Fatal("a connection was refused")
		}
	}
	expectAll(t, metrics(), `chassis_connections_refused_total{port="http",reason="total"} 0`, `chassis_connections_refused_total{port="http",reason="address"} 0`,
		`chassis_resource_limit{kind="connections",resource="http"} 10000`, `chassis_resource_rejected_total{kind="connections",resource="http"} 0`)
}
