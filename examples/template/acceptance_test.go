package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cucumber/godog"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/mtls"

	cornershopv1 "github.com/betmakers/paddock/examples/template/gen/corner_shop/v1"
)

// driver is a way to the service. The features do not know which one is used.
type driver interface {
	add(ctx context.Context, it item) (item, error)
	find(ctx context.Context, id string) (item, error)
}

// The features hold for the rules alone, which takes milliseconds, and for the binary that is
// deployed.
func TestFeatures(t *testing.T) {
	t.Run("domain", func(t *testing.T) {
		runFeatures(t, &items{kept: &memory{kept: map[string]item{}}})
	})
	t.Run("binary", func(t *testing.T) {
		if testing.Short() {
			t.Skip("builds the binary")
		}
		runFeatures(t, startBinary(t))
	})
}

func runFeatures(t *testing.T, d driver) {
	t.Helper()
	suite := godog.TestSuite{
		ScenarioInitializer: func(sc *godog.ScenarioContext) { (&scenario{driver: d}).steps(sc) },
		Options:             &godog.Options{Format: "pretty", Paths: []string{"features"}, TestingT: t, Strict: true, NoColors: true},
	}
	if status := suite.Run(); status != 0 {
		t.Errorf("the features do not hold: %d", status)
	}
}

// scenario is the state of one scenario.
type scenario struct {
	driver driver
	err    error // of the last step that may be refused
}

func (s *scenario) steps(sc *godog.ScenarioContext) {
	sc.Step(`^the item "([^"]*)" is added as "([^"]*)"$`, func(ctx context.Context, id, name string) {
		_, s.err = s.driver.add(ctx, item{id: id, name: name})
	})
	sc.Step(`^the item "([^"]*)" is looked up$`, func(ctx context.Context, id string) {
		_, s.err = s.driver.find(ctx, id)
	})
	sc.Step(`^the item "([^"]*)" is named "([^"]*)"$`, func(ctx context.Context, id, name string) error {
		if got, err := s.driver.find(ctx, id); err != nil || got.name != name {
			return fmt.Errorf("it is named %q, %w", got.name, errors.Join(err, s.err))
		}
		return nil
	})
	sc.Step(`^that is refused with "([^"]*)"$`, func(reason string) error {
		if refused, ok := chassis.ErrorOf(s.err); !ok || refused.Reason != reason {
			return fmt.Errorf("got %w", errors.Join(errors.New("another outcome"), s.err))
		}
		return nil
	})
}

// memory is a keeper without a database.
type memory struct {
	mu   sync.Mutex
	kept map[string]item
}

func (m *memory) put(_ context.Context, it item) (item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.kept[it.id]; !found {
		m.kept[it.id] = it
	}
	return m.kept[it.id], nil
}

func (m *memory) get(_ context.Context, id string) (item, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	it, found := m.kept[id]
	return it, found, nil
}

// binary is the service as a process: items are added by gRPC, and found by REST.
type binary struct {
	client cornershopv1.CornerShopServiceClient
	rest   string
}

func (b *binary) add(ctx context.Context, it item) (item, error) {
	got, err := b.client.AddItem(ctx, &cornershopv1.AddItemRequest{ItemId: it.id, Name: it.name})
	return item{got.GetItem().GetItemId(), got.GetItem().GetName()}, err
}

func (b *binary) find(ctx context.Context, id string) (item, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.rest+"/v1/items/"+id, http.NoBody)
	if err != nil {
		return item{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return item{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		Item           struct{ ItemID, Name string }
		Detail, Reason string // of problem details
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return item{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return item{}, &chassis.Error{Reason: answer.Reason, Message: answer.Detail}
	}
	return item{answer.Item.ItemID, answer.Item.Name}, nil
}

// startBinary builds the service, starts it in an empty folder, and stops it at the end of the
// test, which it must survive with exit code 0.
func startBinary(t *testing.T) *binary {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "service")
	if out, err := exec.Command("go", "build", "-tags=grpcnotrace", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(path)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = []string{
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "DATABASE_URL=file:" + filepath.Join(dir, "items.db"),
		"CHASSIS_GRPC_ADDR=localhost:0", "CHASSIS_HTTP_ADDR=localhost:0", "CHASSIS_ADMIN_ADDR=localhost:0",
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := bufio.NewReader(stdout)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, log)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the service ended with %v", err)
		}
	})
	grpcAddr, restAddr := addresses(t, log)
	go func() { _, _ = io.Copy(io.Discard, log) }()
	return &binary{client: cornershopv1.NewCornerShopServiceClient(dialAs(t, "web", grpcAddr, dir)), rest: "http://" + restAddr}
}

var bound = regexp.MustCompile(`gRPC on (\S+), REST on ([^"\s]+)`)

// addresses reads the log until the service is ready, and returns the ports that it has got.
func addresses(t *testing.T, log *bufio.Reader) (grpcAddr, restAddr string) {
	t.Helper()
	var seen strings.Builder
	for {
		line, err := log.ReadString('\n')
		seen.WriteString(line)
		if found := bound.FindStringSubmatch(line); found != nil {
			grpcAddr, restAddr = found[1], found[2]
		}
		if err != nil {
			t.Fatalf("the service did not become ready: %v\n%s", err, &seen)
		}
		if strings.Contains(line, `"step":"ready"`) {
			return grpcAddr, restAddr
		}
	}
}

// dialAs connects with a certificate of the development authority under home.
func dialAs(t *testing.T, caller, addr, home string) *grpc.ClientConn {
	t.Helper()
	source, err := mtls.Development(t.Context(), mtls.DevelopmentConfig{Service: caller, Dir: filepath.Join(home, ".local", "state", "paddock", "ca")})
	if err != nil {
		t.Fatal(err)
	}
	anyServer := func(spiffeid.ID) error { return nil }
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(mtls.ClientTLS(source, anyServer))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(conn.Close(), source.Close()) })
	return conn
}
