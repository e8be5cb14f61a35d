package balance_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/internal/balance"
	"github.com/betmakers/paddock/internal/contract"
)

const (
	get    = "/test.v1.Test/Get" // sent again after UNAVAILABLE
	charge = "/test.v1.Test/Charge"
)

// fleet is a service of several replicas and a connection to it. It lives in a bubble of synctest,
// where seconds of load take no time, and durations are exactly what the handlers make them.
type fleet struct {
	t        testing.TB
	replicas []*replica
	conn     *grpc.ClientConn
	resolver *manual.Resolver
	registry *prometheus.Registry
	lines    *lines
}

// replica serves every method alike.
type replica struct {
	answer atomic.Pointer[func(nth int64) error]
	calls  atomic.Int64
	server *grpc.Server
}

func (r *replica) serve(_ any, stream grpc.ServerStream) error {
	n := r.calls.Add(1)
	in := new(emptypb.Empty)
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	if err := (*r.answer.Load())(n); err != nil {
		if errors.Is(err, errOverload) {
			stream.SetTrailer(metadata.Pairs("grpc-retry-pushback-ms", "50"))
		}
		return err
	}
	return stream.SendMsg(in)
}

// errOverload is what a replica answers that has too much to do.
var errOverload = status.Error(codes.Unavailable, "too much to do")

func (r *replica) answers(f func(nth int64) error) { r.answer.Store(&f) }

// after answers after d, in the time of a bubble.
func after(d time.Duration) func(int64) error {
	return func(int64) error { time.Sleep(d); return nil }
}

// newFleet starts n replicas that answer after 5 ms. It must be called within a bubble.
func newFleet(t testing.TB, n int, methods ...*contract.Method) *fleet {
	t.Helper()
	if methods == nil {
		methods = []*contract.Method{{FullMethod: get, Name: get[1:]}, {FullMethod: charge, Name: charge[1:]}}
	}
	f := &fleet{t: t, resolver: manual.NewBuilderWithScheme("fleet"), registry: prometheus.NewPedanticRegistry(), lines: &lines{}}
	listeners := make(map[string]*bufconn.Listener, n)
	var state resolver.State
	for i := range n {
		r := &replica{}
		r.answers(after(5 * time.Millisecond))
		r.server = grpc.NewServer(grpc.UnknownServiceHandler(r.serve))
		address := fmt.Sprint("replica-", i)
		listener := bufconn.Listen(64 << 10)
		listeners[address] = listener
		go func() { _ = r.server.Serve(listener) }()
		f.replicas = append(f.replicas, r)
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	peer, err := balance.NewPeer(balance.Options{Peer: "test", Methods: methods, Logger: slog.New(f.lines), Registerer: f.registry})
	if err != nil {
		t.Fatal(err)
	}
	f.resolver.InitialState(state)
	f.conn, err = grpc.NewClient("fleet:///test", grpc.WithResolvers(f.resolver),
		grpc.WithTransportCredentials(peer.Credentials(insecure.NewCredentials())),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return listeners[address].DialContext(ctx)
		}),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"paddock": {}}], "methodConfig": [{
			"name": [{"service": "test.v1.Test", "method": "Get"}],
			"retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}
		}]}`))
	if err != nil {
		t.Fatal(err)
	}
	f.conn.Connect()
	synctest.Wait()
	return f
}

func (f *fleet) close() {
	_ = f.conn.Close()
	for _, r := range f.replicas {
		r.server.Stop()
	}
	synctest.Wait()
}

func (f *fleet) call(method string) error {
	return f.conn.Invoke(f.t.Context(), method, new(emptypb.Empty), new(emptypb.Empty))
}

// seen is what came of a time under load.
type seen struct {
	shares []float64 // of the calls, by replica
	p99    time.Duration
	failed int
	calls  int
}

func (s seen) String() string {
	return fmt.Sprintf("%d calls, shares %.3f, p99 %v, %d failed", s.calls, s.shares, s.p99, s.failed)
}

// load makes a call each few milliseconds, whatever became of those before, and waits for the last.
func (f *fleet) load(lasts, every time.Duration, method string) seen {
	before := make([]int64, len(f.replicas))
	for i, r := range f.replicas {
		before[i] = r.calls.Load()
	}
	var mu sync.Mutex
	var durations []time.Duration
	var out seen
	var wg sync.WaitGroup
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(every) {
		wg.Go(func() {
			begun := time.Now()
			err := f.call(method)
			mu.Lock()
			defer mu.Unlock()
			durations = append(durations, time.Since(begun))
			if err != nil {
				out.failed++
			}
		})
	}
	wg.Wait()
	slices.Sort(durations)
	out.calls, out.p99 = len(durations), durations[len(durations)*99/100]
	for i, r := range f.replicas {
		out.shares = append(out.shares, float64(r.calls.Load()-before[i])/float64(out.calls))
	}
	return out
}

// value sums the samples of a metric whose labels have the given values.
func (f *fleet) value(name string, want map[string]string) (sum float64) {
	f.t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	samples:
		for _, m := range family.GetMetric() {
			for _, pair := range m.GetLabel() {
				if v, ok := want[pair.GetName()]; ok && v != pair.GetValue() {
					continue samples
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, text)
	return nil
}
