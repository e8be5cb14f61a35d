package acceptance_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// life is what every service goes through, in this order.
var life = []string{
	"configured", "telemetry_started", "identity_ready", "admin_listening", "set_up", "ports_bound", "workers_started",
	"health_checked", "ready",
	"stop_requested", "readiness_off", "drain_delay_over", "streams_told", "calls_finished", "workers_stopped",
	"telemetry_flushed", "admin_closed", "stopped",
}

// steps returns the steps that a service has logged.
func (p *process) steps() []string {
	var steps []string
	for _, e := range p.log.all(line("lifecycle")) {
		steps = append(steps, e.text("step"))
	}
	return steps
}

// A replica leaves while its callers go on: those by gRPC spread over two replicas and never stop,
// those by REST leave some time after readiness is off, as a load balancer makes them. It runs
// alone, so that REST has left before the drain delay is over on any machine.
func TestReplicaLeavesUnderLoad(t *testing.T) {
	spans := newCollector(t)
	leaving := start(t, hello, spans.env(), "CHASSIS_DRAIN_DELAY=12s", "CHASSIS_SHUTDOWN_TIMEOUT=40s")
	staying := start(t, hello, spans.env(), "HOME="+leaving.home)

	balanced := dialBoth(t, leaving, staying)
	byGRPC := startLoad(250, 30, func(ctx context.Context) (string, error) {
		ctx, traceID := traced(ctx)
		_, err := balanced.SayHello(ctx, &hellov1.SayHelloRequest{Name: "Ann"})
		return traceID, err
	})
	rest := newHTTPClient(t, nil)
	byREST := startLoad(250, 30, func(context.Context) (string, error) {
		// POST, because a client of net/http repeats a GET that a closing connection has lost.
		got, err := fetch(rest, http.MethodPost, "http://"+leaving.rest+"/v1/hello", `{"name":"Bob"}`)
		if err == nil && got.status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", got.status, got.body)
		}
		return got.header.Get("Trace-Id"), err
	})
	open := openStreams(t, 50, leaving.client)
	watch := watchHealth(t, leaving)
	await(t, "load", func() bool { return byGRPC.count() > 250 && byREST.count() > 250 })

	signalled := time.Now()
	leaving.signal(syscall.SIGTERM)
	leaving.awaitUnready()
	off := leaving.log.await(t, step("readiness_off")).time(t)
	t.Logf("readiness off %s after the signal", off.Sub(signalled).Round(time.Millisecond))
	if leaving.log.has(step("drain_delay_over")) {
		t.Error("readiness was seen to be off only after the drain delay")
	}
	await(t, "watchers of grpc.health.v1 to be told", func() bool {
		return healthpb.HealthCheckResponse_ServingStatus(watch.Load()) == healthpb.HealthCheckResponse_NOT_SERVING
	})
	if got, err := fetch(rest, http.MethodGet, "http://"+leaving.rest+"/v1/hello/Eve", ""); err != nil || got.status != http.StatusOK || !got.closed {
		t.Errorf("REST during the drain delay: status %d, connection to be closed: %t, %v", got.status, got.closed, err)
	}
	open.awaitProgress(t) // streams go on
	before := byREST.count()
	await(t, "load balancers to take their time", func() bool { return byREST.count() > before+200 })
	byREST.end(t, "REST")
	if leaving.log.has(step("drain_delay_over")) {
		t.Fatal("the machine is too busy: the drain delay was over before REST had left")
	}

	open.running.Wait()
	for i, err := range open.ended {
		if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "this replica stops" {
			t.Errorf("stream %d was not ended by its handler: %v", i, err)
		}
	}
	if code := leaving.exitCode(); code != 0 {
		t.Errorf("exit code %d, expected 0", code)
	}
	t.Logf("ended %s after the signal", time.Since(signalled).Round(time.Millisecond))
	byGRPC.end(t, "gRPC")
	if got := leaving.steps(); !slices.Equal(got, life) {
		t.Errorf("steps\n%v, expected\n%v", got, life)
	}
	if last := leaving.log.last(); last.text("step") != "stopped" {
		t.Errorf("the last line of the log is %v", last)
	}
	staying.signal(syscall.SIGTERM)
	if code := staying.exitCode(); code != 0 {
		t.Errorf("the other replica: exit code %d, expected 0", code)
	}
	checkTraces(t, spans, append(byGRPC.traces, byREST.traces...), leaving, staying)
}

// dialBoth returns a client that takes turns between two replicas.
func dialBoth(t *testing.T, a, b *process) hellov1.HelloServiceClient {
	t.Helper()
	both := manual.NewBuilderWithScheme("both")
	both.InitialState(resolver.State{Endpoints: []resolver.Endpoint{
		{Addresses: []resolver.Address{{Addr: a.grpc}}}, {Addresses: []resolver.Address{{Addr: b.grpc}}},
	}})
	return hellov1.NewHelloServiceClient(dial(t, "both:///localhost", a.developer(), grpc.WithResolvers(both),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`)))
}

// watchHealth returns the newest status that a watcher was told.
func watchHealth(t *testing.T, p *process) *atomic.Int32 {
	t.Helper()
	var newest atomic.Int32
	stream, err := healthpb.NewHealthClient(dial(t, p.grpc, p.developer())).Watch(within(t), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			told, err := stream.Recv()
			if err != nil {
				return
			}
			newest.Store(int32(told.GetStatus()))
		}
	}()
	await(t, "the first status", func() bool { return newest.Load() == int32(healthpb.HealthCheckResponse_SERVING) })
	return &newest
}

// awaitUnready polls readiness until it is off, and looks at what the admin port says meanwhile.
func (p *process) awaitUnready() {
	p.t.Helper()
	await(p.t, "readiness off", func() bool {
		code, _, err := p.get("/readyz")
		if err != nil {
			p.t.Fatalf("the admin port does not answer during the drain: %v", err)
		}
		return code == http.StatusServiceUnavailable
	})
	if code, _, err := p.get("/livez"); err != nil || code != http.StatusOK {
		p.t.Errorf("liveness during the drain: %d %v", code, err)
	}
	series := p.series()
	if series[`chassis_phase{phase="draining"}`] != 1 || series["chassis_ready"] != 0 {
		p.t.Error("/metrics does not say that the service drains")
	}
}

// checkTraces holds the collector and the logs to the calls that their callers know of.
func checkTraces(t *testing.T, c *collector, traces []string, served ...*process) {
	t.Helper()
	lines := map[string]int{}
	for _, p := range served {
		for _, e := range p.log.all(line("call")) {
			lines[e.text("trace_id")]++
		}
		if bad := p.log.broken(); len(bad) > 0 {
			t.Errorf("%d lines of the log are not JSON, the first: %s", len(bad), bad[0])
		}
	}
	var noSpan, noLine, noRecord int
	for _, id := range traces {
		if len(c.trace(id)) == 0 {
			noSpan++
		}
		if lines[id] != 1 {
			noLine++
		}
		if c.logged(id) == 0 {
			noRecord++
		}
	}
	if noSpan+noLine+noRecord > 0 {
		t.Errorf("of %d calls, %d have no span at the collector, %d no log record there, %d not one line in the log",
			len(traces), noSpan, noRecord, noLine)
	}
}

// A stream by REST is told like any other, and its caller gets the error as the last line of the
// answer.
func TestStreamByRESTIsTold(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	response, err := newHTTPClient(t, nil).Get("http://" + p.rest + "/v1/hello/Ann/count?times=1000&pause_ms=50")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := bufio.NewScanner(response.Body)
	if !answer.Scan() || !strings.Contains(answer.Text(), "Hello, Ann!") {
		t.Fatalf("the stream begins with %q", answer.Text())
	}
	p.signal(syscall.SIGTERM)
	var last string
	for answer.Scan() {
		last = answer.Text()
	}
	if answer.Err() != nil || !strings.Contains(last, "error") || !strings.Contains(last, "this replica stops") {
		t.Errorf("the stream ends with %q, %v", last, answer.Err())
	}
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code %d, expected 0", code)
	}
}

func TestCallsInFlightFinish(t *testing.T) {
	t.Parallel()
	p := start(t, testservice)
	results := p.callBoth("slow", "slow")
	p.signal(syscall.SIGTERM)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code %d, expected 0", code)
	}
	if got := p.steps(); !slices.Equal(got, life) {
		t.Errorf("steps\n%v, expected\n%v", got, life)
	}
}

// callBoth makes one call by gRPC and one by REST, and returns when both run.
func (p *process) callBoth(byGRPC, byREST string) <-chan error {
	p.t.Helper()
	results := make(chan error, 2)
	client, rest, ctx := p.client(), newHTTPClient(p.t, nil), within(p.t)
	go func() {
		_, err := client.SayHello(ctx, &hellov1.SayHelloRequest{Name: byGRPC})
		results <- err
	}()
	go func() {
		got, err := fetch(rest, http.MethodGet, "http://"+p.rest+"/v1/hello/"+byREST, "")
		if err == nil && got.status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", got.status, got.body)
		}
		results <- err
	}()
	await(p.t, "both calls in flight", func() bool {
		return p.metric(`chassis_rpc_in_flight{rpc_method="hello.v1.HelloService/SayHello"}`) == 2
	})
	return results
}

func TestHandlersThatNeverReturnAreCut(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{
		"by default":         nil,
		"after five seconds": {"CHASSIS_SHUTDOWN_TIMEOUT=5s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, testservice, env...)
			p.callBoth("hang", "hang")
			begun := time.Now()
			p.signal(syscall.SIGTERM)
			if code := p.exitCode(); code != 3 {
				t.Errorf("exit code %d, expected 3", code)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %s to end, expected at most the 20 s of CHASSIS_SHUTDOWN_TIMEOUT", took)
			} else {
				t.Logf("ended %s after the signal", took.Round(time.Millisecond))
			}
			const named = "hello.v1.HelloService/SayHello (2)"
			if cut := p.log.all(step("calls_cut")); len(cut) != 1 || !strings.Contains(cut[0].text("error"), named) {
				t.Errorf("the log does not name %s: %v", named, cut)
			}
			if !strings.Contains(p.stderr.String(), named) {
				t.Errorf("standard error does not name %s: %s", named, p.stderr)
			}
			if last := p.log.last(); last.text("step") != "stopped" {
				t.Errorf("the last line of the log is %v", last)
			}
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, hello, "CHASSIS_DRAIN_DELAY=40s", "CHASSIS_SHUTDOWN_TIMEOUT=60s")
	p.signal(syscall.SIGTERM)
	p.awaitUnready()
	time.Sleep(afterTheSame) // real time is what tells a second signal from the same one
	begun := time.Now()
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(); code != 143 {
		t.Errorf("exit code %d, expected 143", code)
	}
	t.Logf("ended %s after the second signal", time.Since(begun).Round(time.Millisecond))
	if p.log.has(step("drain_delay_over")) {
		t.Error("it waited for the drain")
	}
}

func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	p := launch(t, hello)
	p.log.await(t, step("configured"))
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code %d, expected 0", code)
	}
	if last := p.log.last(); last.text("step") != "stopped" {
		t.Errorf("the last line of the log is %v", last)
	}
}
