package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/harness"
	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/health"
)

// requires is a service that cannot do without wallet.
func requires() chassis.Service {
	return chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
		one, err := app.DialRequired(ctx, "wallet")
		other, err2 := app.Dial(ctx, "wallet")
		if one != other {
			return errors.New("two connections")
		}
		return errors.Join(err, err2)
	}}
}

func TestDialIsReported(t *testing.T) {
	t.Parallel()
	d := dials(t, chassistest.Options{Env: env{"CHASSIS_MTLS": "off", "CHASSIS_WALLET_TARGET": "passthrough:///127.0.0.1:1"}})
	expectAll(t, do(t, d.HTTP(), "GET", "http://admin/readyz?verbose", "").body, "[+]wallet ok (soft)", "readyz check passed")
	if state := d.conn.GetState().String(); state != "IDLE" {
		t.Errorf("the connection is %s, want it left alone", state)
	}
}

func TestDialNameIsTaken(t *testing.T) {
	t.Parallel()
	text := startError(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
		app.Health(health.Check{Name: "wallet", Probe: func(context.Context) error { return nil }})
		_, err := app.Dial(ctx, "wallet")
		return err
	}}, nil)
	expectAll(t, text, `dial "wallet"`, "two checks named")
}

func TestDialRequiredChecksItsArguments(t *testing.T) {
	t.Parallel()
	text := startError(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
		_, err := app.DialRequired(ctx, "Wallet!")
		return err
	}}, nil)
	expectAll(t, text, `dial "Wallet!"`)
}

// still is an identity that stays as it is.
type still struct{ id *mtls.Identity }

func (s still) Identity() (*mtls.Identity, error) { return s.id, nil }

// replica is one of several instances of till, at an address of its own, with a way to wallet of
// its own.
type replica struct {
	host, port string
	ca         *chassistest.CA
	wallet     *switched
	secure     bool // the admin port
	admin      *http.Client
}

// replicas starts n of them, on addresses of loopback with one port for all.
func replicas(t *testing.T, n int, secure bool) []*replica {
	t.Helper()
	ca := chassistest.NewCA(t)
	free, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no further addresses of loopback, which CI needs: ", err)
		}
		t.Skip("no further addresses of loopback: ", err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	_ = free.Close()
	var all []*replica
	var hosts []string
	for i := range n {
		r := &replica{host: fmt.Sprintf("127.0.0.%d", i+2), port: port, ca: ca, secure: secure}
		r.admin = &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: mtls.ClientTLS(still{ca.Identity("till")}, func(spiffeid.ID) error { return nil }),
		}}
		r.startWallet(t)
		all, hosts = append(all, r), append(hosts, r.host)
	}
	for _, r := range all {
		r.run(t, hosts)
	}
	return all
}

// run runs the instance until the test ends.
func (r *replica) run(t *testing.T, hosts []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(harness.With(context.WithoutCancel(t.Context()), &harness.Harness{
		Environ: []string{
			"CHASSIS_ENVIRONMENT=development", "CHASSIS_FLIGHT_RECORDER=false", "CHASSIS_WALLET_TARGET=passthrough:///" + r.wallet.Addr().String(),
			"CHASSIS_GRPC_ADDR=" + r.host + ":0", "CHASSIS_ADMIN_ADDR=" + r.host + ":" + r.port,
			fmt.Sprint("CHASSIS_ADMIN_TLS=", r.secure), "CHASSIS_FLEET_HOST=tills",
		},
		Output: io.Discard, Source: still{r.ca.Identity("till")}, Patience: 250 * time.Millisecond,
		LookupHost: func(_ context.Context, host string) ([]string, error) {
			if host != "tills" {
				return nil, errors.New("which is the name of nothing")
			}
			return hosts, nil
		},
		InterfaceAddrs: func() ([]net.Addr, error) { return []net.Addr{&net.IPNet{IP: net.ParseIP(r.host)}}, nil },
	}))
	ended := make(chan error, 1)
	go func() { ended <- chassis.Run(ctx, requires()) }()
	t.Cleanup(func() {
		cancel()
		if err := await(t, ended, "the end of "+r.host); err != nil {
			t.Error(err)
		}
	})
}

// startWallet opens the instance's way to wallet, down at first.
func (r *replica) startWallet(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.wallet = &switched{Listener: listener}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(mtls.ServerTLS(still{r.ca.Identity("wallet")}, mtls.ServerOptions{NextProtos: []string{"h2"}}))))
	go func() { _ = server.Serve(r.wallet) }()
	t.Cleanup(server.Stop)
}

// switched is a port that can be up and down; down at first.
type switched struct {
	net.Listener
	mu    sync.Mutex
	up    bool
	conns []net.Conn
}

func (s *switched) set(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = up
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

func (s *switched) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
	case s.up:
		s.conns = append(s.conns, c)
	default:
		_ = c.Close()
	}
	return c, err
}

// says returns what the instance says of itself, to anyone and to its operators, and whether it is
// ready.
func (r *replica) says() (string, bool) {
	probe, ready := r.page("/readyz?verbose")
	status, _ := r.page("/debug/status.json") // which has why a check fails
	return probe + status, ready
}

func (r *replica) page(path string) (string, bool) {
	scheme := "http"
	if r.secure {
		scheme = "https"
	}
	response, err := r.admin.Get(scheme + "://" + r.host + ":" + r.port + path) //nolint:noctx // to the end of the test
	if err != nil {
		return err.Error(), false
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	body, _ := io.ReadAll(response.Body)
	return string(body), response.StatusCode == http.StatusOK
}

// reach waits until the instance is ready, or is not, and says so.
func (r *replica) reach(t *testing.T, ready bool, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s comes to ready %v with %q", r.host, ready, want), func() bool {
		text, is := r.says()
		return is == ready && strings.Contains(text, want)
	})
}

// A hard dependency over real connections: it holds the start, an instance that loses it leaves,
// the rest stays.
func TestDialRequired(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			all := replicas(t, 3, secure)
			for _, r := range all {
				r.reach(t, false, "[-]wallet failing since")
				r.wallet.set(true)
			}
			for _, r := range all {
				r.reach(t, true, "[+]wallet ok since")
			}
			all[0].wallet.set(false)
			all[0].reach(t, false, "others serve meanwhile")
			all[1].wallet.set(false)
			all[1].reach(t, true, "failing open: 1 of usually 3 instances are ready beside this one")
			all[2].wallet.set(false)
			all[2].reach(t, true, "failing open")
			for _, r := range all {
				r.wallet.set(true)
			}
			for _, r := range all {
				r.reach(t, true, "[+]wallet ok since")
			}
		})
	}
}

// Alone, an instance has nobody to leave the calls to.
func TestDialRequiredAlone(t *testing.T) {
	t.Parallel()
	r := replicas(t, 1, false)[0]
	r.wallet.set(true)
	r.reach(t, true, "[+]wallet ok since")
	r.wallet.set(false)
	r.reach(t, true, "[+]wallet degraded since")
	r.reach(t, true, "failing open: 0 of usually 1 instances")
}
