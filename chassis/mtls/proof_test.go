package mtls_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// connection is both ends of one, after the handshake.
type connection struct {
	client net.Conn
	server net.Conn
	auth   *mtls.AuthInfo
}

// connect makes a connection as a gRPC server has it, to a client that presents cert. It works in a
// bubble.
func connect(t testing.TB, src *source, cert tls.Certificate) connection {
	t.Helper()
	creds, err := mtls.ServerCredentials(src, mtls.ObserverOptions{})
	ok(t, err)
	clientSide, serverSide := net.Pipe()
	client := tls.Client(clientSide, presenting(src, cert))
	shaken := make(chan error, 1)
	go func() { shaken <- client.HandshakeContext(t.Context()) }()
	server, info, err := creds.ServerHandshake(serverSide)
	ok(t, err)
	ok(t, <-shaken)
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	auth, isOurs := info.(*mtls.AuthInfo)
	if !isOurs {
		t.Fatalf("AuthInfo is a %T", info)
	}
	return connection{client, server, auth}
}

// read returns what arrives until the connection ends.
func (c connection) read() <-chan string {
	all := make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(c.client)
		all <- string(data)
	}()
	return all
}

const goAway = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00"

// A client is asked to go before its certificate ends, is no longer valid when it has, and is cut
// soon after. What ends may be an authority's certificate.
func TestProofEndsWithItsCertificates(t *testing.T) {
	for name, issue := range map[string]func(*testing.T, *ca) tls.Certificate{
		"the leaf": func(t *testing.T, root *ca) tls.Certificate { return root.issue(t, uris("spiffe://example.org/web")) },
		"an authority between": func(t *testing.T, root *ca) tls.Certificate {
			return root.through(t, root.intermediate(t, "between"), valid(-time.Minute, 10*time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root := newCA(t, "root")
				src := fixed(t, root.issue(t, uris("spiffe://example.org/server"), valid(-hour, 20*hour)), root)
				c := connect(t, src, issue(t, root)) // an hour is left
				all := c.read()
				expect := func(at string, valid, leaving bool) {
					t.Helper()
					if got := c.auth.Valid(time.Now()); (got == nil) != valid {
						t.Errorf("%s: Valid is %v", at, got)
					}
					if got := c.auth.Leaving(time.Now()); got != leaving {
						t.Errorf("%s: Leaving is %t", at, got)
					}
					_, proved := mtls.PeerID(peer.NewContext(t.Context(), &peer.Peer{AuthInfo: c.auth}))
					if proved != valid {
						t.Errorf("%s: PeerID is proved: %t", at, proved)
					}
				}
				expect("at first", true, false)
				time.Sleep(54 * time.Minute)
				expect("after 54 minutes", true, false)
				time.Sleep(5 * time.Minute)
				expect("after 59 minutes", true, true)
				time.Sleep(time.Minute + time.Second)
				expect("after 60 minutes", false, true)
				select {
				case <-all:
					t.Error("it was cut at once")
				default:
				}
				if got := <-all; got != goAway {
					t.Errorf("the client got %q, want one GOAWAY and the end", got)
				}
			})
		})
	}
}

// Trust that is taken away counts at once, and what leaves the trust alone changes nothing.
func TestProofEndsWithTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, other := newCA(t, "root"), newCA(t, "other")
		server := root.issue(t, uris("spiffe://example.org/server"))
		src := fixed(t, server, root, other)
		c := connect(t, src, other.issue(t, uris("spiffe://example.org/web")))
		all := c.read()
		src.set(t, root.issue(t, uris("spiffe://example.org/server")), root, other)
		ok(t, c.auth.Valid(time.Now()))
		src.set(t, server, root, other, newCA(t, "third"))
		ok(t, c.auth.Valid(time.Now()))
		src.set(t, server, root)
		if err := c.auth.Valid(time.Now()); err == nil || !strings.Contains(err.Error(), "not trusted any more") {
			t.Errorf("got %v, want that it is not trusted any more", err)
		}
		if got := <-all; got != goAway {
			t.Errorf("the client got %q, want one GOAWAY and the end", got)
		}
	})
}

// A GOAWAY stands between two frames, never in one.
func TestGoAwayStandsBetweenFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, other := newCA(t, "root"), newCA(t, "other")
		server := root.issue(t, uris("spiffe://example.org/server"))
		src := fixed(t, server, root, other)
		c := connect(t, src, other.issue(t, uris("spiffe://example.org/web")))
		all := c.read()
		frame := "\x00\x00\x05\x00\x00\x00\x00\x00\x01hello"
		write := func(text string) {
			t.Helper()
			_, err := io.WriteString(c.server, text)
			ok(t, err)
		}
		write(frame + frame + frame[:4])
		src.set(t, server, root)
		time.Sleep(3 * time.Second)
		write(frame[4:11])
		write(frame[11:])
		write(frame)
		if got, want := <-all, strings.Repeat(frame, 3)+goAway+frame; got != want {
			t.Errorf("the client got %q, want %q", got, want)
		}
	})
}

// The check of a call costs nothing that is allocated.
func TestValidDoesNotAllocate(t *testing.T) {
	root := newCA(t, "root")
	src := fixed(t, root.issue(t, uris("spiffe://example.org/server")), root)
	c := connect(t, src, root.issue(t, uris("spiffe://example.org/web")))
	now := time.Now()
	if allocs := testing.AllocsPerRun(100, func() { ok(t, c.auth.Valid(now)) }); allocs > 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

func BenchmarkValid(b *testing.B) {
	root := newCA(b, "root")
	src := fixed(b, root.issue(b, uris("spiffe://example.org/server")), root)
	auth := connect(b, src, root.issue(b, uris("spiffe://example.org/web"))).auth
	b.ReportAllocs()
	now := time.Now()
	for b.Loop() {
		if auth.Valid(now) != nil {
			b.Fatal("not valid")
		}
	}
}

// A client that has renewed its certificate loses no call when the authority of its old one goes:
// it is told to make a new connection, and does.
func TestRenewedClientLosesNoCall(t *testing.T) {
	leakcheck.Check(t)
	before, after := newCA(t, "before"), newCA(t, "after")
	server := after.issue(t, uris("spiffe://example.org/server"))
	src := fixed(t, server, before, after)
	seen := make(chan string, 1000)
	addr := serveGRPC(t, src, mtls.ObserverOptions{}, func(ctx context.Context) {
		p, _ := peer.FromContext(ctx)
		if info, isOurs := p.AuthInfo.(*mtls.AuthInfo); isOurs {
			seen <- info.State.PeerCertificates[0].Issuer.CommonName
		}
	})
	web := uris("spiffe://example.org/web")
	client := fixed(t, before.issue(t, web), after)
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(clientCreds(client)))
	ok(t, err)
	defer conn.Close()
	say := func() string {
		t.Helper()
		_, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
		ok(t, err)
		return <-seen
	}
	if got := say(); got != "before" {
		t.Fatalf("the client came by %q", got)
	}
	client.set(t, after.issue(t, web), after)
	src.set(t, server, after)
	eventually(t, "a connection with the new certificate", func() bool { return say() == "after" })
}

// The same for HTTPS, where the server ends connections in good order and the listener cuts what is
// left.
func TestListenerCutsWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, other := newCA(t, "root"), newCA(t, "other")
		server := root.issue(t, uris("spiffe://example.org/server"))
		src := fixed(t, server, root, other)
		inner := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		listener, err := mtls.Listener(inner, src, mtls.ListenerOptions{})
		ok(t, err)
		defer listener.Close() //nolint:errcheck // of a test
		clients := map[string]net.Conn{}
		for name, issuer := range map[string]*ca{"ended": other, "good": root} {
			near, far := net.Pipe()
			client := tls.Client(near, presenting(src, issuer.issue(t, uris("spiffe://example.org/web"))))
			go func() { _ = client.HandshakeContext(t.Context()) }()
			inner.conns <- far
			accepted, err := listener.Accept()
			ok(t, err)
			defer accepted.Close() //nolint:errcheck // of a test
			p, _ := peer.FromContext(mtls.ConnContext(t.Context(), accepted))
			info, isOurs := p.AuthInfo.(*mtls.AuthInfo)
			if !isOurs {
				t.Fatalf("AuthInfo is a %T", p.AuthInfo)
			}
			ok(t, info.Valid(time.Now()))
			defer func() {
				if got := info.Valid(time.Now()) == nil; got != (name == "good") {
					t.Errorf("%s: valid is %t", name, got)
				}
			}()
			clients[name] = client
		}
		src.set(t, server, root)
		synctest.Wait()
		if _, err := clients["ended"].Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the client reads %v, want the end", err)
		}
		ok(t, clients["good"].SetReadDeadline(time.Now().Add(time.Minute)))
		var timeout net.Error
		if _, err := clients["good"].Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("the good client reads %v, want that it waits", err)
		}
	})
}

// A look that is held up is not overtaken by another, whatever comes and goes meanwhile.
func TestOneLookAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := newCA(t, "root")
		src := &held{source: fixed(t, root.issue(t, uris("spiffe://example.org/server")), root), free: make(chan struct{})}
		inner := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		listener, err := mtls.Listener(inner, src, mtls.ListenerOptions{})
		ok(t, err)
		defer listener.Close() //nolint:errcheck // of a test
		accept := func() net.Conn {
			near, far := net.Pipe()
			client := tls.Client(near, presenting(src.source, root.issue(t, uris("spiffe://example.org/web"))))
			go func() { _ = client.HandshakeContext(t.Context()) }()
			inner.conns <- far
			accepted, err := listener.Accept()
			ok(t, err)
			return accepted
		}
		first := accept()
		src.hold.Store(true)
		time.Sleep(time.Second) // a look begins, and is held
		synctest.Wait()
		src.hold.Store(false)
		_ = first.(*tls.Conn).NetConn().Close() // the last one goes: at its peer's cost, without a farewell
		second := accept()
		defer second.(*tls.Conn).NetConn().Close() //nolint:errcheck // of a test
		close(src.free)
		synctest.Wait()
		before := src.asked.Load()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		// A look asks twice for each connection: whether it should leave, and whether it may stay.
		if asked := src.asked.Load() - before; asked > 22 {
			t.Errorf("the source was asked %d times in ten seconds, want what a look per second asks", asked)
		}
	})
}

// held is a source that counts who asks, and can hold them.
type held struct {
	*source
	asked atomic.Int64
	hold  atomic.Bool
	free  chan struct{}
}

func (h *held) Identity() (*mtls.Identity, error) {
	h.asked.Add(1)
	if h.hold.Load() {
		<-h.free
	}
	return h.source.Identity()
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
