package health_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/leakcheck"
)

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
	unknown    = healthpb.HealthCheckResponse_SERVICE_UNKNOWN
)

// dial serves m over an in-memory connection and returns the server and a client, both gone after
// the test.
func dial(t *testing.T, m *health.Monitor) (*grpc.Server, healthpb.HealthClient) {
	t.Helper()
	listener, server := bufconn.Listen(1<<16), grpc.NewServer()
	healthpb.RegisterHealthServer(server, m.GRPC())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///health", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return server, healthpb.NewHealthClient(conn)
}

func watch(t *testing.T, client healthpb.HealthClient, service string) func() (healthpb.HealthCheckResponse_ServingStatus, error) {
	t.Helper()
	stream, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	return func() (healthpb.HealthCheckResponse_ServingStatus, error) {
		answer, err := stream.Recv()
		return answer.GetStatus(), err
	}
}

func TestCheckAndListOverGRPC(t *testing.T) {
	leakcheck.Check(t)
	m := newMonitor(t, health.Config{})
	m.AddService("bets.v1.BetService")
	m.AddService("bets.v1.BetService") // twice is once
	_, client := dial(t, m)
	for _, on := range []bool{false, true, false} {
		m.SetServing(on)
		want := notServing
		if on {
			want = serving
		}
		for _, service := range []string{"", "bets.v1.BetService"} {
			answer, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || answer.GetStatus() != want {
				t.Errorf("switch %v: Check(%q) = %v, %v; want %v", on, service, answer.GetStatus(), err, want)
			}
		}
		list, err := client.List(t.Context(), &healthpb.HealthListRequest{})
		if err != nil || len(list.GetStatuses()) != 2 || list.GetStatuses()["bets.v1.BetService"].GetStatus() != want {
			t.Errorf("switch %v: List = %v, %v; want both names %v", on, list, err, want)
		}
	}
	_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "invented"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("Check of an unknown service: %v, want NOT_FOUND", err)
	}
}

func TestWatchersAreToldOfEachChange(t *testing.T) {
	leakcheck.Check(t)
	m, p := newMonitor(t, health.Config{}), new(toggle)
	add(t, m, health.Check{Name: "db", Probe: p.probe, Interval: 1, FailAfter: 1}) // as fast as it goes
	m.AddService("bets.v1.BetService")
	_, client := dial(t, m)
	overall, named, other := watch(t, client, ""), watch(t, client, "bets.v1.BetService"), watch(t, client, "invented")
	expect := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for name, next := range map[string]func() (healthpb.HealthCheckResponse_ServingStatus, error){"": overall, "named": named} {
			if got, err := next(); got != want || err != nil {
				t.Fatalf("watch of %q: %v, %v; want %v", name, got, err, want)
			}
		}
	}
	expect(notServing)
	if got, err := other(); got != unknown || err != nil {
		t.Errorf("watch of an unknown service: %v, %v; want %v", got, err, unknown)
	}
	m.Start(t.Context())
	m.SetServing(true)
	expect(serving)
	p.bad.Store(true)
	expect(notServing)
	p.bad.Store(false)
	expect(serving)
	m.SetServing(false)
	expect(notServing)
	if err := m.Stop(); err != nil {
		t.Error(err)
	}
}

func TestEndWatchesLetsAGracefulStopFinish(t *testing.T) {
	leakcheck.Check(t)
	m := newMonitor(t, health.Config{})
	m.SetServing(true)
	server, client := dial(t, m)
	next := watch(t, client, "")
	if got, err := next(); got != serving || err != nil {
		t.Fatalf("got %v, %v; want %v", got, err, serving)
	}
	m.SetServing(false)
	if got, err := next(); got != notServing || err != nil {
		t.Fatalf("got %v, %v; want %v", got, err, notServing)
	}
	m.EndWatches()
	m.EndWatches()
	server.GracefulStop() // hangs, and with it the test, while a watch goes on
	if _, err := next(); status.Code(err) != codes.Unavailable {
		t.Errorf("the watch ended with %v, want UNAVAILABLE", err)
	}
}
