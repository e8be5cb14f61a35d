package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

const dialMetric = "rpc_client_call_duration_seconds"

func TestDial(t *testing.T) {
	t.Parallel()
	var caller chassis.Caller
	var agent []string
	w := &wallet{answer: func(ctx context.Context, text string) (string, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		caller, agent = chassis.CallerOf(ctx), md.Get("user-agent")
		return text, nil
	}}
	d := dials(t, reaching(chassistest.Start(t, w.service("wallet"), chassistest.Options{})))
	if got, err := d.call(t.Context(), getMethod, "hello"); got != "hello" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if caller.ID != "spiffe://test/till" {
		t.Errorf("the caller is %q, want the service that dials", caller.ID)
	}
	if len(agent) != 1 || !strings.HasPrefix(agent[0], "till/1.2.3 paddock") {
		t.Errorf("the user agent is %q", agent)
	}
	for labels, want := range map[[2]string]float64{{"rpc_method", getMethod[1:]}: 1, {"server_address", "wallet"}: 1, {"rpc_status_code", "OK"}: 1} {
		if got := d.Metric(dialMetric, labels[0], labels[1]); got != want {
			t.Errorf("%s is %v for %v, want %v", dialMetric, got, labels, want)
		}
	}
	d.Stop()
	if state := d.conn.GetState(); state != connectivity.Shutdown {
		t.Errorf("after the stop the connection is %s", state)
	}
	if n := len(d.Logs("call")); n != 0 {
		t.Errorf("%d access-log lines of calls made, want none", n)
	}
}

func TestDialDecodesErrors(t *testing.T) {
	t.Parallel()
	want := &chassis.Error{Code: codes.FailedPrecondition, Reason: "EMPTY", Domain: "wallet"}
	w := &wallet{answer: func(context.Context, string) (string, error) { return "", want }}
	d := dials(t, reaching(chassistest.Start(t, w.service("wallet"), chassistest.Options{})))
	_, err := d.call(t.Context(), chargeMethod, "")
	if got, ok := errors.AsType[*chassis.Error](err); !ok || got.Reason != "EMPTY" {
		t.Errorf("got %#v, want a chassis.Error", err)
	}
}

func TestDialRefusesAnotherService(t *testing.T) {
	t.Parallel()
	w := &wallet{}
	d := dials(t, reaching(chassistest.Start(t, w.service("thief"), chassistest.Options{})))
	_, err := d.call(t.Context(), chargeMethod, "")
	if status.Code(err) != codes.Unavailable || w.calls.Load() != 0 {
		t.Fatalf("got %v after %d calls, want UNAVAILABLE and none", err, w.calls.Load())
	}
	expectAll(t, err.Error(), "spiffe://test/thief", "expected", "spiffe://test/wallet")
}

func TestDialChecksItsArguments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dial     string
		settings env
		want     []string
	}{
		"name":          {"Wallet!", nil, []string{`dial "Wallet!"`, "lower-case letters"}},
		"xds":           {"wallet", env{"CHASSIS_WALLET_TARGET": "xds:///wallet"}, []string{"CHASSIS_WALLET_TARGET", "google.golang.org/grpc/xds"}},
		"scheme":        {"my-wallet", env{"CHASSIS_MY_WALLET_TARGET": "gopher:///wallet"}, []string{"CHASSIS_MY_WALLET_TARGET", "the program has no resolver for the scheme gopher"}},
		"not a setting": {"wallet", env{"CHASSIS_WALET": "x"}, []string{"CHASSIS_WALET is not a setting"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := startError(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
				_, err := app.Dial(ctx, test.dial)
				return err
			}}, test.settings)
			expectAll(t, got, test.want...)
		})
	}
}

func TestDialIsForSetup(t *testing.T) {
	t.Parallel()
	var kept *chassis.App
	start(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
		kept = app
		one, err := app.Dial(ctx, "wallet")
		other, err2 := app.Dial(ctx, "wallet")
		if one == nil || one != other {
			t.Errorf("two dials gave %p and %p, want one connection", one, other)
		}
		_ = one.Close() // the chassis closes it once more
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := app.Dial(ended, "bank"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's end", err)
		}
		return errors.Join(err, err2)
	}}, nil)
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "App.Dial was called after Setup had returned") {
			t.Errorf("got the panic %s, want Dial to refuse after Setup", p)
		}
	}()
	_, _ = kept.Dial(t.Context(), "bank")
}

// Targets are shown with where they came from, and those that nobody dials are told of.
func TestDialTargets(t *testing.T) {
	t.Parallel()
	svc := start(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
		_, err := app.Dial(ctx, "wallet")
		_, err2 := app.Dial(ctx, "big-bank")
		return errors.Join(err, err2)
	}}, env{"CHASSIS_WALLET_TARGET": "passthrough:///10.0.0.1:9000", "CHASSIS_BIG_BNK_TARGET": "dns:///x:1", "CHASSIS_LEDGER_TARGET": "dns:///x:1"})
	got := do(t, svc.HTTP(), "GET", "http://admin/debug/config", "")
	expectAll(t, got.body, "CHASSIS_WALLET_TARGET", "passthrough:///10.0.0.1:9000", "CHASSIS_BIG_BANK_TARGET", "dns:///big-bank:9000")
	lines := svc.Logs("target setting of a service that is not dialled")
	said := map[string]string{}
	for _, line := range lines {
		text, _ := line["error"].(string)
		name, _ := line["setting"].(string)
		said[name] = text
		expectAll(t, text, name+" has no effect: Setup does not call app.Dial for this service")
		if strings.Contains(text, "-help") || strings.Contains(text, "reserved") {
			t.Errorf("%q sends the reader where nothing is found", text)
		}
	}
	if len(lines) != 2 {
		t.Fatalf("got %v, want one line for each", lines)
	}
	expectAll(t, said["CHASSIS_BIG_BNK_TARGET"], "did you mean CHASSIS_BIG_BANK_TARGET?")
	expectAll(t, said["CHASSIS_LEDGER_TARGET"], "CHASSIS_BIG_BANK_TARGET, CHASSIS_WALLET_TARGET")
}

// By the target's addresses, in plaintext, over loopback: what CHASSIS_MTLS=off is for.
func TestDialBalances(t *testing.T) {
	t.Parallel()
	var wallets [2]wallet
	var addresses []string
	for i := range wallets {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		server.RegisterService(&walletDesc, &wallets[i])
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(server.Stop)
		addresses = append(addresses, listener.Addr().String())
	}
	d := dials(t, chassistest.Options{Env: env{"CHASSIS_MTLS": "off", "CHASSIS_WALLET_TARGET": "listed:///" + strings.Join(addresses, ",")}})
	eventually(t, "both servers have calls", func() bool { // the second connection may not be there yet
		if _, err := d.call(t.Context(), chargeMethod, ""); err != nil {
			t.Fatal(err)
		}
		return wallets[0].calls.Load() >= 10 && wallets[1].calls.Load() >= 10
	})
}

// listed resolves a target to the addresses that stand in it.
type listed struct{}

var _ = func() bool { resolver.Register(listed{}); return true }()

func (listed) Scheme() string                        { return "listed" }
func (listed) ResolveNow(resolver.ResolveNowOptions) {}
func (listed) Close()                                {}
func (listed) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	var state resolver.State
	for address := range strings.SplitSeq(target.Endpoint(), ",") {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	return listed{}, cc.UpdateState(state)
}

// A call is sent again where its contract says that it may be, and after UNAVAILABLE alone.
func TestDialRetries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method string
		code   codes.Code
		calls  int32
	}{
		"no side effects":         {getMethod, codes.Unavailable, 3},
		"no side effects, denied": {getMethod, codes.PermissionDenied, 1},
		"nothing declared":        {chargeMethod, codes.Unavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &wallet{answer: func(context.Context, string) (string, error) { return "", status.Error(test.code, "no") }}
			d := dials(t, reaching(chassistest.Start(t, w.service("wallet"), chassistest.Options{})))
			if _, err := d.call(t.Context(), test.method, ""); status.Code(err) != test.code {
				t.Errorf("got %v, want %s", err, test.code)
			}
			if got := w.calls.Load(); got != test.calls {
				t.Errorf("%d calls arrived, want %d", got, test.calls)
			}
			if got := d.Metric(dialMetric); got != 1 {
				t.Errorf("counted %v calls, want 1", got)
			}
		})
	}
}

// No message is larger than the setting says, neither way.
func TestDialBoundsMessages(t *testing.T) {
	t.Parallel()
	w := &wallet{answer: func(_ context.Context, text string) (string, error) { return strings.Repeat(text, 10), nil }}
	opts := reaching(chassistest.Start(t, w.service("wallet"), chassistest.Options{}))
	opts.Env = env{"CHASSIS_MAX_MESSAGE_BYTES": "2000"}
	d := dials(t, opts)
	for _, method := range []string{getMethod, chargeMethod, "/wallet.v1.WalletService/Invented"} {
		if _, err := d.call(t.Context(), method, strings.Repeat("x", 2001)); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: got %v for a large request, want RESOURCE_EXHAUSTED", method, err)
		}
	}
	for _, method := range []string{getMethod, chargeMethod} {
		if _, err := d.call(t.Context(), method, strings.Repeat("x", 201)); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: got %v for a large answer, want RESOURCE_EXHAUSTED", method, err)
		}
		if got, err := d.call(t.Context(), method, strings.Repeat("x", 190)); len(got) != 1900 || err != nil {
			t.Errorf("%s: got %d letters, %v", method, len(got), err)
		}
	}
}

// The deadline is the contract's, the setting's where it has none, and the caller's where that is
// earlier.
func TestDialDeadlines(t *testing.T) {
	t.Parallel()
	var left time.Duration
	listener := listen(t, func(ctx context.Context) {
		at, _ := ctx.Deadline()
		left = time.Until(at)
	})
	d := dials(t, chassistest.Options{Env: env{"CHASSIS_MTLS": "off", "CHASSIS_CALL_TIMEOUT": "30s", "CHASSIS_WALLET_TARGET": listener}})
	for name, test := range map[string]struct {
		method  string
		callers time.Duration
		over    time.Duration
		most    time.Duration
	}{
		"contract": {getMethod, 0, 0, 2 * time.Second},
		"later":    {getMethod, time.Hour, 0, 2 * time.Second},
		"earlier":  {getMethod, time.Second, 0, time.Second},
		"setting":  {chargeMethod, 0, 2 * time.Second, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if test.callers > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.callers)
				defer cancel()
			}
			if _, err := d.call(ctx, test.method, ""); err != nil {
				t.Fatal(err)
			}
			if left <= test.over || left > test.most {
				t.Errorf("%s left, want more than %s and at most %s", left, test.over, test.most)
			}
		})
	}
}

// listen serves wallet without a chassis, which would have deadlines of its own, and returns its
// target.
func listen(t *testing.T, seen func(context.Context)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&walletDesc, &wallet{answer: func(ctx context.Context, text string) (string, error) {
		seen(ctx)
		return text, nil
	}})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return "passthrough:///" + listener.Addr().String()
}

// A call by REST goes through two services as one trace, with less time at each.
func TestDialFromREST(t *testing.T) {
	t.Parallel()
	var left []time.Duration
	note := func(ctx context.Context) {
		at, _ := ctx.Deadline()
		left = append(left, time.Until(at))
	}
	b := chassistest.Start(t, (&wallet{answer: func(ctx context.Context, text string) (string, error) {
		note(ctx)
		return text, nil
	}}).service("wallet"), chassistest.Options{Env: env{"CHASSIS_CALL_TIMEOUT": "0s"}})
	var conn *grpc.ClientConn
	service := echoes(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		note(ctx)
		out := new(echo.Text)
		err := conn.Invoke(ctx, chargeMethod, wrapperspb.String(text), out)
		return out.GetValue(), err
	}})
	setup := service.Setup
	service.Setup = func(ctx context.Context, app *chassis.App) (err error) {
		if conn, err = app.Dial(ctx, "wallet"); err != nil {
			return err
		}
		return setup(ctx, app)
	}
	opts := reaching(b)
	opts.Env = env{"CHASSIS_HTTP_TIMEOUT": "5s"}
	a := chassistest.Start(t, service, opts)
	if got := do(t, a.HTTP(), "POST", "http://rest/v1/say", `"hello"`); got.status != 200 || got.body != `"hello"` {
		t.Fatalf("got %s", got)
	}
	a.Stop() // the spans of the call have ended
	b.Stop()

	if len(left) != 2 || left[0] > 5*time.Second || left[1] >= left[0] || left[1] <= 0 {
		t.Errorf("the deadlines left %v, want less at each hop", left)
	}
	byKind := map[string]sdktrace.ReadOnlySpan{}
	for service, spans := range map[string][]sdktrace.ReadOnlySpan{"a": a.Spans(), "b": b.Spans()} {
		for _, s := range spans {
			byKind[service+" "+s.SpanKind().String()+" "+s.Name()] = s
		}
	}
	way := []string{"a server POST /v1/say", "a server test.v1.EchoService/Say", "a client " + chargeMethod[1:], "b server " + chargeMethod[1:]}
	var parent trace.SpanContext
	for _, name := range way {
		span := byKind[name]
		if span == nil {
			t.Fatalf("no span %q among %q", name, keysOf(byKind))
		}
		if parent.IsValid() && (span.Parent().SpanID() != parent.SpanID() || span.SpanContext().TraceID() != parent.TraceID()) {
			t.Errorf("%s is not below the one before it", name)
		}
		parent = span.SpanContext()
	}
	if len(byKind) != len(way) {
		t.Errorf("got the spans %q, want %q", keysOf(byKind), way)
	}
}

func keysOf[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Workers and what runs at the stop can still call: the connections are closed after them.
func TestDialLastsLongerThanWorkers(t *testing.T) {
	t.Parallel()
	w := &wallet{}
	told := make(chan error, 2)
	opts := reaching(chassistest.Start(t, w.service("wallet"), chassistest.Options{}))
	svc := chassistest.Start(t, chassis.Service{Name: "till", Setup: func(ctx context.Context, app *chassis.App) error {
		conn, err := app.Dial(ctx, "wallet")
		charge := func(ctx context.Context) error {
			err := conn.Invoke(ctx, chargeMethod, wrapperspb.String("last"), new(echo.Text))
			told <- err
			return err
		}
		app.OnStop("settle", charge)
		app.Go("till", func(ctx context.Context) error {
			<-ctx.Done()
			return charge(context.WithoutCancel(ctx))
		})
		return err
	}}, opts)
	svc.Stop()
	for range 2 {
		if err := <-told; err != nil {
			t.Errorf("a call during the stop: %v", err)
		}
	}
}
