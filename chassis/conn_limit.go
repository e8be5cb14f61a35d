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
	"github.com/betmakers/paddock/internal/ratelimit"
)

// connLimits bound the connections of one port. Zero is no limit.
type connLimits struct {
	total   int
	perAddr int
}

// Why a connection is refused: values of a label.
const (
	refusedTotal   = "total"
	refusedAddress = "address"
)

// connLimit counts the connections of one port. One beyond the limits is closed as soon as it has come, so that it
// costs no memory and no handshake, and its client learns of it at once. Each is counted, and one logged now and
// then.
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
}

// refusalPause is between two lines about refused connections.
const refusalPause = time.Minute

// limitConns puts the limits on a port.
func limitConns(
	port string, inner net.Listener, limits connLimits, log *slog.Logger, refused *prometheus.CounterVec, limiter *admission.Limiter,
) net.Listener {
	return &limitedListener{inner, &connLimit{
		port: port, limits: limits, log: log, refused: refused, limiter: limiter, byAddr: map[netip.Addr]int{},
	}}
}

// limitedListener is a listener with limits.
type limitedListener struct {
	net.Listener
	limit *connLimit
}

// Accept returns the next connection that is within the limits.
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

// take returns the place of conn, or closes it.
func (l *connLimit) take(conn net.Conn) *connPlace {
	addr := limitedAddr(conn.RemoteAddr())
	reason, tell := l.enter(addr, time.Now())
	if reason == "" {
		l.limiter.Connected()
		return &connPlace{limit: l, addr: addr}
	}
	l.refused.WithLabelValues(l.port, reason).Inc() // before the close: who sees that finds the count
	if tell {
		l.tell(reason, conn)
	}
	_ = conn.Close() // it was never used
	return nil
}

// enter counts a connection, or says why it may not be. It reports whether that is to be logged.
func (l *connLimit) enter(addr netip.Addr, now time.Time) (reason string, tell bool) {
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
	if tell = l.logged.IsZero() || now.Sub(l.logged) >= refusalPause; tell {
		l.logged = now
	}
	return reason, tell
}

func (l *connLimit) leave(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.byAddr[addr]--; l.byAddr[addr] <= 0 {
		delete(l.byAddr, addr)
	}
}

func (l *connLimit) tell(reason string, conn net.Conn) {
	setting, limit := "CHASSIS_MAX_CONNECTIONS", l.limits.total
	if reason == refusedAddress {
		setting, limit = "CHASSIS_MAX_CONNECTIONS_PER_ADDRESS", l.limits.perAddr
	}
	l.log.Warn("connections are refused: the port has reached "+setting,
		"port", l.port, "reason", reason, "limit", limit, "newest", fmt.Sprint(conn.RemoteAddr()))
}

// limitedAddr is what counts as one address: see [ratelimit.Network]. It is not valid for loopback, where a proxy of
// the same pod brings everybody's connections, and what is no IP address.
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

// connPlace is a connection's place on its port.
type connPlace struct {
	limit *connLimit
	addr  netip.Addr
	once  sync.Once
}

func (p *connPlace) giveBack() { p.once.Do(func() { p.limit.leave(p.addr) }) }

// wrap returns conn, whose first Close gives its place back. One of TCP keeps what TCP can do, such as sending files.
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

func (c *limitedConn) Close() error {
	defer c.place.giveBack()
	return c.Conn.Close()
}

func (c *limitedTCPConn) Close() error {
	defer c.place.giveBack()
	return c.TCPConn.Close()
}
