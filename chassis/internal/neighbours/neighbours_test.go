package neighbours_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/betmakers/paddock/chassis/internal/neighbours"
	"github.com/betmakers/paddock/internal/leakcheck"
)

func TestFolder(t *testing.T) {
	f := neighbours.Folder(filepath.Join(t.TempDir(), "state", "services"))
	if got := f.Addresses("web"); got != nil {
		t.Errorf("got %q of a folder that does not exist", got)
	}
	var withdraw []func()
	for _, s := range [][2]string{{"web", "localhost:9001"}, {"web", "localhost:9000"}, {"web-shop", "localhost:9002"}} {
		gone, err := f.Announce(s[0], s[1])
		if err != nil {
			t.Fatal(err)
		}
		withdraw = append(withdraw, gone)
	}
	if got := f.Addresses("web"); !slices.Equal(got, []string{"localhost:9000", "localhost:9001"}) {
		t.Errorf("got %q, want both, and not the shop", got)
	}
	withdraw[0]()
	withdraw[0]()
	if got := f.Addresses("web"); !slices.Equal(got, []string{"localhost:9000"}) {
		t.Errorf("got %q after one has stopped", got)
	}
	if info, err := os.Stat(string(f)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want a folder for its owner alone", info.Mode(), err)
	}
}

// What stands in the folder that is no entry of a running process of this machine does no harm.
func TestStaleEntries(t *testing.T) {
	f := neighbours.Folder(t.TempDir())
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"web-dead.json":      fmt.Sprintf(`{"service":"web","addr":"localhost:1","pid":%d,"host":%q}`, 1<<22+1, host),
		"web-elsewhere.json": `{"service":"web","addr":"localhost:2","pid":1,"host":"another host"}`,
		"web-other.json":     fmt.Sprintf(`{"service":"web-other","addr":"localhost:3","pid":%d,"host":%q}`, os.Getpid(), host),
		"web-empty.json":     ``,
		"web-half.json":      `{"service":"web","addr":`,
		"web-zero.json":      fmt.Sprintf(`{"service":"web","addr":"localhost:4","pid":0,"host":%q}`, host),
		"web-noaddr.json":    fmt.Sprintf(`{"service":"web","pid":%d,"host":%q}`, os.Getpid(), host),
	} {
		if err := os.WriteFile(filepath.Join(string(f), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(string(f), "web-folder.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := f.Addresses("web"); len(got) > 0 {
		t.Errorf("got %q, want none", got)
	}
	if _, err := os.Stat(filepath.Join(string(f), "web-dead.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want the entry of a dead process to be removed", err)
	}
	if _, err := os.Stat(filepath.Join(string(f), "web-elsewhere.json")); err != nil {
		t.Errorf("the entry of another host was removed: %v", err)
	}
}

func TestDefaultFolder(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want neighbours.Folder
	}{
		{map[string]string{"HOME": "/home/ada"}, "/home/ada/.local/state/paddock/services"},
		{map[string]string{"HOME": "/home/ada", "XDG_STATE_HOME": "/state"}, "/state/paddock/services"},
		{map[string]string{"HOME": "/home/ada", "XDG_STATE_HOME": "state"}, "/home/ada/.local/state/paddock/services"},
		{nil, ""},
	} {
		if got := neighbours.DefaultFolder(func(name string) string { return test.env[name] }); got != test.want {
			t.Errorf("%v: got %q, want %q", test.env, got, test.want)
		}
	}
	none := neighbours.Folder("")
	if withdraw, err := none.Announce("web", "localhost:1"); err != nil || none.Addresses("web") != nil {
		t.Errorf("got %v without a folder", err)
	} else {
		withdraw()
	}
}

// told is a connection that notes what its resolver reports.
type told struct {
	resolver.ClientConn
	mu      sync.Mutex
	changed chan struct{}
	addrs   []string
	err     error
}

func (c *told) UpdateState(s resolver.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addrs, c.err = nil, nil
	for _, e := range s.Endpoints {
		c.addrs = append(c.addrs, e.Addresses[0].Addr)
	}
	c.tell()
	return nil
}

func (c *told) ReportError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addrs, c.err = nil, err
	c.tell()
}

func (c *told) ParseServiceConfig(string) *serviceconfig.ParseResult { return nil }

func (c *told) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// await returns when the resolver has reported what is wanted.
func (c *told) await(t *testing.T, want func(addrs []string, err error) bool) {
	t.Helper()
	for {
		c.mu.Lock()
		changed, ok := c.changed, want(c.addrs, c.err)
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("the resolver does not report it")
		}
	}
}

// A service that starts after its caller is found, and so is DNS's while there is none on the
// machine.
func TestResolver(t *testing.T) {
	leakcheck.Check(t)
	f := neighbours.Folder(t.TempDir())
	b := &neighbours.Builder{Folder: f, Port: "9000", LookupHost: func(_ context.Context, host string) ([]string, error) {
		if host == "wallet" {
			return []string{"10.0.0.7"}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}}
	for name, dns := range map[string]string{"wallet": "10.0.0.7:9000", "web": ""} {
		t.Run(name, func(t *testing.T) {
			target, err := resolverTarget(name)
			if err != nil {
				t.Fatal(err)
			}
			c := &told{changed: make(chan struct{})}
			r, err := b.Build(target, c, resolver.BuildOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			c.await(t, func(addrs []string, err error) bool {
				return dns != "" && slices.Equal(addrs, []string{dns}) ||
					dns == "" && err != nil && err.Error() == "no web runs on this machine, and lookup web: no such host"
			})
			withdraw, err := f.Announce(name, "localhost:9001")
			if err != nil {
				t.Fatal(err)
			}
			defer withdraw()
			r.ResolveNow(resolver.ResolveNowOptions{})
			c.await(t, func(addrs []string, _ error) bool { return slices.Equal(addrs, []string{"localhost:9001"}) })
		})
	}
}

func resolverTarget(name string) (resolver.Target, error) {
	u, err := url.Parse(neighbours.Scheme + ":///" + name)
	if err != nil {
		return resolver.Target{}, err
	}
	return resolver.Target{URL: *u}, nil
}
