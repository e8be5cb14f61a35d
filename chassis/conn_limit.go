package chassis

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/bounded"
	"github.com/betmakers/paddock/internal/ratelimit"
)

// connLimits bound the connections of one port. Zero means no limit.
type connLimits struct {
	total   int
	perAddr int
}

// Reasons for refusing a connection, as values of a label.
const (
	refusedTotal   = "total"
	refusedAddress = "address"
)

// connLimit counts the connections of one port. A connection over a limit is closed at once,
// before it costs memory or a handshake. Each refusal is counted, and at most one per minute is
// logged.
type connLimit struct {
	port    string
	limits  connLimits
	log     *slog.Logger
	refused *prometheus.CounterVec // by port and reason
	limiter *admission.Limiter     // counts the connections taken; nil where admission is off

	mu     sync.Mutex
	open   int
	byAddr map[netip.Addr]int // how many each limited address has
	logged time.Time

	rejected uint64
}

// refusalPause is the least time between two log lines about refused connections.
const refusalPause = time.Minute

// limitConns applies limits to a port.
func limitConns(
	port string, inner net.Listener, limits connLimits, log *slog.Logger, refused *prometheus.CounterVec, limiter *admission.Limiter,
) *limitedListener {
	for _, reason := range []string{refusedTotal, refusedAddress} {
		refused.WithLabelValues(port, reason)
	}
	return &limitedListener{inner, &connLimit{
		port: port, limits: limits, log: log, refused: refused, limiter: limiter, byAddr: map[netip.Addr]int{},
	}}
}

// state is the state of the port for metrics.
func (l *connLimit) state() bounded.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bounded.State{Limit: l.limits.total, InUse: l.open, Refuses: true, Rejected: l.rejected}
}

// limitedListener is a listener with limits.
type limitedListener struct {
	net.Listener
	limit *connLimit
}

// Accept returns the next connection within the limits.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if place := l.limit.take(conn); place != nil {
			return place.wrap(conn), nil
		}
	}
}

// take returns a place for conn, or closes it and returns nil.
func (l *connLimit) take(conn net.Conn) *connPlace {
	addr := limitedAddr(conn.RemoteAddr())
	reason, due := l.enter(addr, time.Now())
	if reason == "" {
		l.limiter.Connected()
		return &connPlace{limit: l, addr: addr}
	}
	l.refused.WithLabelValues(l.port, reason).Inc() // before the close, so that a client that sees it finds the count
	if due {
		l.report(reason, conn)
	}
	_ = conn.Close() // it was never used
	return nil
}

// enter counts a connection, or returns the reason to refuse it and whether to log that.
func (l *connLimit) enter(addr netip.Addr, now time.Time) (reason string, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	counted := l.limits.perAddr > 0 && addr.IsValid()
	switch {
	case l.limits.total > 0 && l.open >= l.limits.total:
		reason = refusedTotal
	case counted && l.byAddr[addr] >= l.limits.perAddr:
		reason = refusedAddress
	default:
		l.open++
		if counted {
			l.byAddr[addr]++
		}
		return "", false
	}
	l.rejected++
	if due = l.logged.IsZero() || now.Sub(l.logged) >= refusalPause; due {
		l.logged = now
	}
	return reason, due
}

func (l *connLimit) leave(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.byAddr[addr]--; l.byAddr[addr] <= 0 {
		delete(l.byAddr, addr)
	}
}

func (l *connLimit) report(reason string, conn net.Conn) {
	setting, limit := "CHASSIS_MAX_CONNECTIONS", l.limits.total
	if reason == refusedAddress {
		setting, limit = "CHASSIS_MAX_CONNECTIONS_PER_ADDRESS", l.limits.perAddr
	}
	l.log.Warn("connections are refused: the port has reached "+setting,
		"port", l.port, "reason", reason, "limit", limit, "newest", fmt.Sprint(conn.RemoteAddr()))
}

// limitedAddr returns the network that counts as one address; see [ratelimit.Network]. It is
// invalid for loopback, where a proxy in the same pod forwards the connections of all clients,
// and for addresses other than IP.
func limitedAddr(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	if ip.IsLoopback() {
		return netip.Addr{}
	}
	return ratelimit.Network(ip)
}

// connPlace is the place of a connection on its port.
type connPlace struct {
	limit   *connLimit
	addr    netip.Addr
	once    sync.Once
	preface preface
}

func (p *connPlace) giveBack() { p.once.Do(func() { p.limit.leave(p.addr) }) }

// wrap returns conn so that its first Close frees the place. A TCP connection keeps its special
// abilities, such as sending files.
func (p *connPlace) wrap(conn net.Conn) net.Conn {
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &limitedTCPConn{tcp, p}
	}
	return &limitedConn{conn, p}
}

type (
	limitedConn struct {
		net.Conn
		place *connPlace
	}
	limitedTCPConn struct {
		*net.TCPConn
		place *connPlace
	}
)

func (c *limitedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.place.preface.read(p[:n])
	return n, err
}

func (c *limitedTCPConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.place.preface.read(p[:n])
	return n, err
}

func (c *limitedConn) speaksHTTP2() bool    { return c.place.preface.complete() }
func (c *limitedTCPConn) speaksHTTP2() bool { return c.place.preface.complete() }

func (c *limitedConn) Close() error {
	defer c.place.giveBack()
	return c.Conn.Close()
}

func (c *limitedTCPConn) Close() error {
	defer c.place.giveBack()
	return c.TCPConn.Close()
}
