package chassis_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/betmakers/paddock/chassis/internal/echo"
)

// A REST call has the deadline that its caller names, by either header; the gateway does not set
// another.
func TestCallersTimeoutByREST(t *testing.T) {
	t.Parallel()
	left := make(chan time.Duration, 1)
	svc := start(t, echoes(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		at, _ := ctx.Deadline()
		left <- time.Until(at)
		return text, nil
	}}), nil)
	call := func(header ...string) reply {
		return do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"hello"`, header...)
	}
	for _, header := range [][]string{{"Request-Timeout", "3"}, {"Grpc-Timeout", "3S"}, {"Request-Timeout", "3.5", "Grpc-Timeout", "3000m"}} {
		if answer := call(header...); answer.status != http.StatusOK {
			t.Fatalf("%v: %v", header, answer)
		}
		if got := await(t, left, "the call"); got > 3*time.Second || got < time.Second {
			t.Errorf("%v: the handler has %v", header, got)
		}
	}
	if answer := call("Grpc-Timeout", "0S"); answer.status != http.StatusGatewayTimeout {
		t.Errorf("no time at all: %v", answer)
	}
	for _, header := range []string{"Request-Timeout", "Grpc-Timeout"} {
		answer := call(header, "soon")
		if answer.status != http.StatusBadRequest || answer.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("malformed %s: %v", header, answer)
		}
		expectAll(t, answer.body, header+" must be", "INVALID_ARGUMENT")
	}
	if n := svc.Metric("chassis_rpc_rejected_total", "reason", "deadline"); n != 1 {
		t.Errorf("%v calls refused for their deadline, want 1", n)
	}
}
