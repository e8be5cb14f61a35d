package inbound_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/fault"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

const faultsMetric = "chassis_faults_injected_total"

// inject puts rules in force.
func (f *fixture) inject(t testing.TB, text string) {
	t.Helper()
	rules, err := fault.Parse(text, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if err := f.CheckFault(r); err != nil {
			t.Fatal(err)
		}
	}
	f.SetFaults(rules)
}

// counting is a handler of each shape that counts its calls. Streams send five messages, or take
// what comes.
func counting(calls *atomic.Int64) testHandlers {
	return testHandlers{
		unary: func(_ context.Context, in *message) (*message, error) { calls.Add(1); return in, nil },
		stream: func(s grpc.ServerStream) error {
			calls.Add(1)
			for range 5 {
				if err := s.SendMsg(new(message)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func TestFaultAborts(t *testing.T) {
	var calls atomic.Int64
	f, conn := start(t, counting(&calls))
	f.inject(t, `{"method":"test.v1.Test/*","abort":"UNAVAILABLE","message":"try elsewhere"}`)
	viaREST := f.Conn(inbound.RESTConfig{})
	for name, cc := range map[string]grpc.ClientConnInterface{"gRPC": conn, "REST": viaREST} {
		err := cc.Invoke(t.Context(), unary, new(message), new(message))
		if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "try elsewhere" {
			t.Errorf("%s: %v", name, err)
		}
		if err := drainStream(openStream(t, cc, serverStream)); status.Code(err) != codes.Unavailable {
			t.Errorf("%s stream: %v", name, err)
		}
	}
	f.settle(t)
	if calls.Load() != 0 {
		t.Errorf("%d calls reached their handlers", calls.Load())
	}
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "UNAVAILABLE"}, 4)
	f.wantValue(t, rejectedMetric, labels{"reason": "fault"}, 4)
	f.wantValue(t, faultsMetric, labels{"rpc_method": unary[1:], "fault": "abort"}, 2)
	for _, line := range f.lines.records(t) {
		if line["reason"] != "fault" || line["explain"] != "test.v1.Test/*: UNAVAILABLE" {
			t.Errorf("logged %v", line)
		}
	}
	f.SetFaults(nil)
	if err := conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil || calls.Load() != 1 {
		t.Errorf("when the faults have ended: %v", err)
	}
	f.wantValue(t, faultsMetric, nil, 4)
}

func TestFaultChoosesMethodPeerAndRatio(t *testing.T) {
	var calls atomic.Int64
	f := newChain(t, counting(&calls), policy(t, `{"public":true}`))
	f.SetTrustDomain("betmakers")
	f.inject(t, `[{"method":"*/Unary","peer":"web-*","abort":"ABORTED"},
		{"method":"test.v1.Test/Unary","peer":"spiffe://betmakers/sometimes","ratio":0.25,"abort":"INTERNAL"}]`)
	call := func(method, id string) codes.Code {
		return status.Code(f.method(t, method).Serve(nil, newFakeStream(asPeer(t.Context(), id))))
	}
	for _, tc := range []struct {
		method, id string
		want       codes.Code
	}{
		{unary, "spiffe://betmakers/web-1", codes.Aborted},
		{unary, "spiffe://betmakers/api", codes.OK},
		{unary, "spiffe://elsewhere/web-1", codes.OK},
		{unary, "", codes.OK},
		{serverStream, "spiffe://betmakers/web-1", codes.OK},
	} {
		if got := call(tc.method, tc.id); got != tc.want {
			t.Errorf("%s by %q: %s, want %s", tc.method, tc.id, got, tc.want)
		}
	}
	hits := 0
	for range 4000 {
		if call(unary, "spiffe://betmakers/sometimes") == codes.Internal {
			hits++
		}
	}
	if hits < 800 || hits > 1200 { // seven standard deviations
		t.Errorf("%d of 4000 calls hit, want a quarter", hits)
	}
}

func TestFaultDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		f := newChain(t, counting(&calls), withTimeout(time.Second))
		serve := func() (time.Duration, error) {
			began := time.Now()
			err := f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
			return time.Since(began), err
		}
		f.inject(t, `{"method":"*","delay":"300ms"}`)
		if took, err := serve(); took != 300*time.Millisecond || err != nil || calls.Load() != 1 {
			t.Errorf("a delay: %v, %v", took, err)
		}
		if line := f.lines.only(t); line["explain"] != "*: 300ms late" || line["reason"] != nil || line["code"] != "OK" {
			t.Errorf("logged %v", line)
		}
		f.inject(t, `{"method":"*","delay":"300ms","abort":"DATA_LOSS"}`)
		if took, err := serve(); took != 300*time.Millisecond || status.Code(err) != codes.DataLoss {
			t.Errorf("a delay and an abort: %v, %v", took, err)
		}
		f.inject(t, `{"method":"*","delay":"1m"}`)
		if took, err := serve(); took != time.Second || status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a delay beyond the deadline: %v, %v", took, err)
		}
		f.wantValue(t, faultsMetric, labels{"fault": "delay"}, 3)
		if calls.Load() != 1 {
			t.Errorf("%d calls reached the handler, want 1", calls.Load())
		}
	})
}

func TestFaultEndsAStreamInItsMiddle(t *testing.T) {
	for name, handler := range map[string]func(grpc.ServerStream) error{
		"heeds the error": counting(new(atomic.Int64)).stream,
		"ignores the error": func(s grpc.ServerStream) error {
			_ = counting(new(atomic.Int64)).stream(s)
			return s.SendMsg(new(message))
		},
		"hides the error": func(s grpc.ServerStream) error {
			_ = counting(new(atomic.Int64)).stream(s)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, conn := start(t, testHandlers{unary: echo, stream: handler})
			f.inject(t, `{"method":"*","after":3,"abort":"DATA_LOSS"}`)
			for transport, cc := range map[string]grpc.ClientConnInterface{"gRPC": conn, "REST": f.Conn(inbound.RESTConfig{})} {
				stream := openStream(t, cc, serverStream)
				if n, err := countMessages(stream); n != 3 || status.Code(err) != codes.DataLoss {
					t.Errorf("%s: %d messages and %v, want 3 and DATA_LOSS", transport, n, err)
				}
			}
			f.settle(t)
			f.wantValue(t, faultsMetric, labels{"fault": "partial"}, 2)
			f.wantValue(t, rejectedMetric, nil, 0) // their handlers ran
			if err := conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil {
				t.Errorf("a unary call: %v", err)
			}
		})
	}
}

// countMessages counts messages until the stream ends.
func countMessages(stream grpc.ClientStream) (n int, err error) {
	for ; ; n++ {
		if err := stream.RecvMsg(new(message)); err != nil {
			return n, err
		}
	}
}

func TestFaultCountsWhatTheCallerStreams(t *testing.T) {
	got := 0
	f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
		for {
			if err := s.RecvMsg(new(message)); errors.Is(err, io.EOF) {
				return s.SendMsg(new(message))
			} else if err != nil {
				return err
			}
			got++
		}
	}})
	f.inject(t, `{"method":"*/ClientStream","after":2,"abort":"ABORTED"}`)
	stream := openStream(t, conn, clientStream)
	for range 4 {
		_ = stream.SendMsg(new(message)) // the stream may have ended
	}
	if err := stream.RecvMsg(new(message)); status.Code(err) != codes.Aborted {
		t.Errorf("got %v", err)
	}
	f.settle(t)
	if got != 2 {
		t.Errorf("the handler got %d messages, want 2", got)
	}
}

// cuttable has credentials whose connections can be cut, as those of the chassis.
type cuttable struct {
	credentials.TransportCredentials
}

type cutInfo struct {
	credentials.AuthInfo
	conn net.Conn
}

func (c cutInfo) Cut() { c.conn.Close() }
func (cutInfo) GetCommonAuthInfo() credentials.CommonAuthInfo {
	return credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}
}

func (c cuttable) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	return conn, cutInfo{info, raw}, err
}

func TestFaultResetsAConnection(t *testing.T) {
	var calls atomic.Int64
	f, conn := start(t, counting(&calls), func(s *setup) {
		s.server = append(s.server, grpc.Creds(cuttable{insecure.NewCredentials()}))
	})
	f.inject(t, `[{"method":"*/Unary","reset":true},{"method":"*","after":2,"reset":true}]`)
	if err := conn.Invoke(t.Context(), unary, new(message), new(message)); status.Code(err) != codes.Unavailable ||
		strings.Contains(err.Error(), "injected") {
		t.Errorf("a call: %v, want UNAVAILABLE by the client's own words", err)
	}
	f.settle(t)
	if n, err := countMessages(openStream(t, conn, serverStream)); n > 2 || status.Code(err) != codes.Unavailable {
		t.Errorf("a stream: %d messages and %v, want at most 2 and UNAVAILABLE", n, err)
	}
	f.settle(t)
	f.wantValue(t, faultsMetric, labels{"fault": "reset"}, 1)
	f.wantValue(t, faultsMetric, labels{"fault": "partial"}, 1)
	f.SetFaults(nil)
	if err := conn.Invoke(t.Context(), unary, new(message), new(message), grpc.WaitForReady(true)); err != nil {
		t.Errorf("the client did not connect again: %v", err)
	}
}

func TestFaultResetWithoutAConnectionToCut(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo})
	f.inject(t, `{"method":"*","reset":true}`)
	if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

// A reset by REST is what net/http does for http.ErrAbortHandler, and leaves what was flushed
// before.
func TestFaultResetsARequest(t *testing.T) {
	for _, tc := range []struct {
		path, rule string
		messages   int
	}{
		{"/unary", `{"method":"*","reset":true}`, 0},
		{"/stream", `{"method":"*","reset":true}`, 0},
		{"/stream", `{"method":"*","after":2,"reset":true}`, 2},
	} {
		t.Run(tc.path+tc.rule, func(t *testing.T) {
			leakcheck.Check(t)
			var calls atomic.Int64
			f := newChain(t, counting(&calls))
			f.inject(t, tc.rule)
			url := serveHTTP(t, f)
			body, err := get(t, url+tc.path)
			if err == nil || strings.Count(body, "message") != tc.messages {
				t.Errorf("got %q and %v, want %d messages and an error", body, err, tc.messages)
			}
			f.settle(t)
			f.SetFaults(nil)
			if body, err := get(t, url+tc.path); err != nil || !strings.Contains(body, "message") {
				t.Errorf("afterwards: %q, %v", body, err)
			}
		})
	}
}

func get(t *testing.T, url string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// serveHTTP serves the chain's REST as the gateway would, one line for each message.
func serveHTTP(t *testing.T, f *fixture) (url string) {
	t.Helper()
	conn := f.Conn(inbound.RESTConfig{})
	routes := http.NewServeMux()
	answer := func(w http.ResponseWriter, r *http.Request, err error) {
		inbound.WriteError(w, r, err, func(codes.Code) int { return http.StatusTooManyRequests })
	}
	routes.HandleFunc("/unary", func(w http.ResponseWriter, r *http.Request) {
		if err := conn.Invoke(r.Context(), unary, new(message), new(message)); err != nil {
			answer(w, r, err)
			return
		}
		_, _ = io.WriteString(w, "message\n")
	})
	routes.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		stream, err := conn.NewStream(r.Context(), &grpc.StreamDesc{ServerStreams: true}, serverStream)
		if err == nil {
			_, err = stream.Header()
		}
		for err == nil {
			if err = stream.RecvMsg(new(message)); err == nil {
				_, _ = io.WriteString(w, "message\n")
				w.(http.Flusher).Flush()
			}
		}
		if !errors.Is(err, io.EOF) {
			answer(w, r, err)
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f.HTTP(routes, inbound.HTTPLimits{}), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

func TestFaultsThatHitNothing(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo})
	health := testService()
	health.ServiceName = "grpc.health.v1.Health"
	f.wrap(t, health, testHandlers{unary: echo})
	for text, says := range map[string]string{
		`{"method":"test.v1.Test/Unarry","reset":true}`:                   `method: "test.v1.Test/Unarry" names no registered method`,
		`{"method":"grpc.health.v1.Health/*","reset":true}`:               "names no registered method",
		`{"method":"test.v1.Test/Unary","reset":true,"after":1}`:          "names no registered stream",
		`{"method":"grpc.health.v1.Health/Unary","delay":"1s","ratio":1}`: "faults can be injected into",
	} {
		rules, err := fault.Parse(text, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.CheckFault(rules[0]); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", text, err, says)
		}
	}
	f.inject(t, `{"method":"*","abort":"UNAVAILABLE"}`)
	if err := f.method(t, "/grpc.health.v1.Health/Unary").Serve(nil, newFakeStream(t.Context())); err != nil {
		t.Errorf("health: %v", err)
	}
}

// Objectives feel an injected fault as they would a real one.
func TestFaultBurnsTheBudget(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo}, policy(t, `{"slo":{"availability":99.9}}`))
	f.inject(t, `{"method":"*","abort":"UNAVAILABLE"}`)
	_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
	f.wantValue(t, "chassis_slo_bad_requests_total", labels{"slo": "availability"}, 1)
}

// A handler's goroutines may look at its context while another of them meets a fault.
func TestFaultBesideOtherGoroutines(t *testing.T) {
	var calls atomic.Int64
	f, conn := start(t, testHandlers{unary: echo, stream: func(s grpc.ServerStream) error {
		calls.Add(1)
		stop, all := make(chan struct{}), sync.WaitGroup{}
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = s.Context().Value("anything")
				}
			}
		})
		var err error
		all.Go(func() {
			defer close(stop)
			for err == nil {
				err = s.SendMsg(new(message))
			}
		})
		all.Wait()
		return err
	}})
	for _, rule := range []string{`{"method":"*","after":3,"abort":"DATA_LOSS"}`, `{"method":"*","after":3,"reset":true}`} {
		f.inject(t, rule)
		for _, cc := range []grpc.ClientConnInterface{conn, f.Conn(inbound.RESTConfig{})} {
			if n, err := countMessages(openStream(t, cc, serverStream)); n != 3 || err == nil {
				t.Errorf("%s: %d messages, and then %v", rule, n, err)
			}
		}
	}
	f.settle(t)
	for _, line := range f.lines.records(t) {
		if line["explain"] == nil {
			t.Errorf("the line does not name the fault: %v", line)
		}
	}
}
