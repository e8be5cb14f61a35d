package chassis_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// Services of the mesh are called without the proxy that third parties are asked through. The
// environment's proxy is read once in a process, so the calls are made in another one.
func TestDialUsesNoProxy(t *testing.T) {
	if os.Getenv("PADDOCK_TEST_PROXIED") != "" {
		callThroughProxy(t)
		return
	}
	t.Parallel()
	proxy := newProxy(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDialUsesNoProxy$", "-test.v") //nolint:gosec // this test
	child.Env = append(os.Environ(), "PADDOCK_TEST_PROXIED=1", "HTTPS_PROXY=http://"+proxy.address, "HTTP_PROXY=http://"+proxy.address,
		"https_proxy=", "http_proxy=", "NO_PROXY=", "no_proxy=", "ALL_PROXY=http://"+proxy.address)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := proxy.asked(); !slices.Equal(got, []string{"GET payments.invalid"}) {
		t.Errorf("the proxy was asked for %q, want what the HTTPClient asks for alone", got)
	}
}

// callThroughProxy makes a call of a service and a request to a third party, neither of which
// exists.
func callThroughProxy(t *testing.T) {
	var client *http.Client
	d := &dialler{}
	d.Running = chassistest.Start(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) (err error) {
		client = app.HTTPClient("payments")
		d.conn, err = app.Dial(ctx, "wallet")
		return err
	}}, chassistest.Options{Env: env{"CHASSIS_MTLS": "off", "CHASSIS_WALLET_TARGET": "dns:///wallet.invalid:9000"}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := d.call(ctx, chargeMethod, ""); err == nil {
		t.Error("a service that does not exist has answered")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://payments.invalid/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

// proxy answers every request itself, with 204, and keeps what it is asked for.
type proxy struct {
	address string
	mu      sync.Mutex
	seen    []string
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &proxy{address: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	p.mu.Lock()
	p.seen = append(p.seen, request.Method+" "+request.Host)
	p.mu.Unlock()
	_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
}

func (p *proxy) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}
