package inbound_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/ratelimit"
)

func withRateLimit(text string) func(*setup) {
	return func(s *setup) {
		limits, err := ratelimit.Parse(text)
		if err != nil {
			panic(err)
		}
		s.RateLimits = limits
	}
}

// from is the context of a call by a peer at an address.
func from(ctx context.Context, id, ip string) context.Context {
	return peer.NewContext(ctx, &peer.Peer{AuthInfo: identity(id), Addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: 4711}})
}

func TestRateLimitPerCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{unary: echo}, withRateLimit("2/s"), policy(t, `{"slo":{"availability":99.9}}`))
		call := func(id, ip string) error {
			return f.method(t, unary).Serve(nil, newFakeStream(from(t.Context(), id, ip)))
		}
		passes := func(want int, id, ip string) {
			t.Helper()
			got := 0
			for range 5 {
				if call(id, ip) == nil {
					got++
				}
			}
			if got != want {
				t.Errorf("%q from %s: %d of 5 calls passed, want %d", id, ip, got, want)
			}
		}
		passes(2, "spiffe://a/web", "10.0.0.1")
		passes(0, "spiffe://a/web", "10.0.0.2") // one caller, wherever it is
		passes(2, "spiffe://a/api", "10.0.0.1")
		passes(2, "", "10.0.0.1")
		passes(2, "", "10.0.0.2")
		passes(0, "", "10.0.0.1")
		time.Sleep(500 * time.Millisecond)
		passes(1, "spiffe://a/web", "10.0.0.1")

		err := call("spiffe://a/web", "10.0.0.1")
		st := status.Convert(err)
		if st.Code() != codes.ResourceExhausted || len(st.Details()) != 1 {
			t.Fatalf("refused with %v, %v", err, st.Details())
		}
		if retry, ok := st.Details()[0].(*errdetails.RetryInfo); !ok || retry.GetRetryDelay().AsDuration() != 500*time.Millisecond {
			t.Errorf("the detail is %v, want to come again in 500ms", st.Details()[0])
		}
		f.wantValue(t, rejectedMetric, labels{"reason": "rate_limited"}, 3+5+3+3+3+5+4+1)
		f.wantValue(t, "chassis_slo_requests_total", nil, 9)
		f.wantValue(t, "chassis_slo_bad_requests_total", nil, 0)
		lines := f.lines.records(t)
		if line := lines[len(lines)-1]; line["reason"] != "rate_limited" || line["explain"] != "2/s" {
			t.Errorf("logged %v", line)
		}
	})
}

func TestRateLimitPassesHealthBy(t *testing.T) {
	f := newChain(t, testHandlers{unary: echo}, withRateLimit("1/h"))
	health := testService()
	health.ServiceName = "grpc.health.v1.Health"
	f.wrap(t, health, testHandlers{unary: echo})
	for range 5 {
		if err := f.method(t, "/grpc.health.v1.Health/Unary").Serve(nil, newFakeStream(from(t.Context(), "", "10.0.0.1"))); err != nil {
			t.Error(err)
		}
	}
}

func TestRateLimitHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{unary: echo, stream: func(s grpc.ServerStream) error { return s.SendHeader(nil) }},
			withRateLimit("spiffe://a/free=1/s, 2/m burst 3"))
		conn := f.Conn(inbound.RESTConfig{})
		handler := f.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var err error
			switch r.URL.Path {
			case "/unary":
				err = conn.Invoke(r.Context(), unary, new(message), new(message))
			case "/stream":
				var stream grpc.ClientStream
				if stream, err = conn.NewStream(r.Context(), &grpc.StreamDesc{ServerStreams: true}, serverStream); err == nil {
					_, err = stream.Header()
				}
			}
			if err != nil {
				inbound.WriteError(w, r, err, func(codes.Code) int { return http.StatusTooManyRequests })
				return
			}
			_, _ = w.Write([]byte("{}"))
		}), inbound.HTTPLimits{})
		for _, step := range []struct {
			path              string
			status            int
			state, retryAfter string
		}{
			{"/unary", 200, `"caller";r=2;t=30`, ""},
			{"/none", 200, "", ""}, // no call, nothing counted
			{"/stream", 200, `"caller";r=1;t=30`, ""},
			{"/unary", 200, `"caller";r=0;t=30`, ""},
			{"/unary", 429, `"caller";r=0;t=30`, "30"},
			{"/stream", 429, `"caller";r=0;t=30`, "30"},
		} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(from(t.Context(), "", "10.0.0.1"), http.MethodGet, step.path, http.NoBody))
			policy := `"caller";q=3;w=90`
			if step.state == "" {
				policy = ""
			}
			header := w.Result().Header
			if w.Code != step.status || header.Get("RateLimit") != step.state || header.Get("RateLimit-Policy") != policy || header.Get("Retry-After") != step.retryAfter {
				t.Errorf("%s: answered %d with %v", step.path, w.Code, header)
			}
			if step.status == 429 {
				var problem map[string]any
				if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem["code"] != "RESOURCE_EXHAUSTED" || problem["retry_after_seconds"] != 30.0 {
					t.Errorf("%s: answered %s", step.path, w.Body)
				}
			}
		}
	})
}
