package ratelimit

import (
	"hash/maphash"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/betmakers/paddock/internal/contract"
)

// Buckets is the number of callers that a Limiter remembers. They use up to 4 MB. For a further
// caller, the one that was away longest is forgotten, and has a full bucket when it returns.
const Buckets = 1 << 16

// Limiter counts calls. It may be used concurrently.
type Limiter struct {
	limits []Limit
	seed   maphash.Seed
	began  time.Time

	mu      sync.Mutex
	buckets lru
}

// New returns a limiter, nil if there are no limits. It remembers Buckets callers.
func New(limits []Limit) *Limiter { return NewSize(limits, Buckets) }

// NewSize is New for another number of callers.
func NewSize(limits []Limit, size int) *Limiter {
	if len(limits) == 0 {
		return nil
	}
	return &Limiter{limits: limits, seed: maphash.MakeSeed(), began: time.Now(), buckets: newLRU(size)}
}

// Decision is the answer to one call. The zero value lets it pass without a limit.
type Decision struct {
	Limit     *Limit // nil: nothing limits the caller
	Refused   bool
	Remaining int           // calls that the caller could make at once after this one
	More      time.Duration // until there is one more; zero if the bucket is full
}

// Take takes one call from the caller's bucket. A caller is identified by its identity, or by the
// address of its connection if it has proved none. An IPv6 network of 64 bits counts as one
// address, because a single customer gets at least that. domain is the own trust domain. It does
// not allocate.
func (l *Limiter) Take(c contract.Caller, domain string, addr net.Addr, now time.Time) Decision {
	for i := range l.limits {
		if l.limits[i].names(c, domain) {
			return l.take(&l.limits[i], l.key(i, c, addr), now)
		}
	}
	return Decision{}
}

// take is the generic cell rate algorithm: a bucket is the time at which it will be full again.
func (l *Limiter) take(limit *Limit, key uint64, now time.Time) Decision {
	at := int64(now.Sub(l.began))
	each := int64(limit.each())
	capacity := each * int64(limit.Burst)
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.buckets.use(key)
	used := max(*full-at, 0)
	d := Decision{Limit: limit}
	if used+each > capacity {
		d.Refused, d.More = true, time.Duration(used+each-capacity)
		return d
	}
	used += each
	*full = at + used
	d.Remaining = int((capacity - used) / each)
	d.More = time.Duration((used-1)%each + 1)
	return d
}

// whose tells callers apart. Who proves a user is counted as the user where the limit may be a
// user's, else as the service.
type whose struct {
	limit       int
	id, subject string
	ip          [16]byte
	other       string
}

// key is a hash, so that long names of callers use no memory. The seed is random, so clients
// cannot cause collisions.
func (l *Limiter) key(limit int, c contract.Caller, addr net.Addr) uint64 {
	w := whose{limit: limit}
	rule := &l.limits[limit]
	switch {
	case c.Subject != "" && (rule.everybody || rule.callers.User()):
		w.subject = c.Subject
	case c.ID != "":
		w.id = c.ID
	default:
		w.from(addr)
	}
	return maphash.Comparable(l.seed, w)
}

// Network returns what of an address counts as one caller: all of an IPv6 network of 64 bits, as a
// single customer gets no less than that, and an IPv4 address. Of what is no address it returns the
// same.
func Network(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	if !ip.Is6() {
		return ip
	}
	network, _ := ip.Prefix(64) // no error: an IPv6 address has as many bits
	return network.Addr()
}

func (w *whose) from(addr net.Addr) {
	switch addr := addr.(type) {
	case nil:
	case *net.TCPAddr:
		w.ip = Network(addr.AddrPort().Addr()).As16()
	default:
		w.other = addr.String()
		if ap, err := netip.ParseAddrPort(w.other); err == nil {
			w.other = ""
			w.from(net.TCPAddrFromAddrPort(ap))
		}
	}
}

// Policy returns the value of the header RateLimit-Policy of
// draft-ietf-httpapi-ratelimit-headers-10: the size of the bucket, and the seconds in which it
// fills.
func (d Decision) Policy() string { return d.Limit.policy }

// State returns the value of the header RateLimit of that draft: what is left, and the seconds
// until there is more.
func (d Decision) State() string {
	var b strings.Builder
	b.WriteString(`"caller";r=`)
	b.WriteString(strconv.Itoa(d.Remaining))
	b.WriteString(`;t=`)
	b.WriteString(strconv.FormatInt(seconds(d.More), 10))
	return b.String()
}
