package inbound_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// The messages are those of protojson and of the gateway, as the tests of the chassis get them.
func TestUnreadableRequestsAreNotQuoted(t *testing.T) {
	for message, want := range map[string]string{
		`proto: (line 1:9): invalid value for int64 field pin: "hunter2"`:                                 "the request cannot be read at line 1:9: the value of pin is none of its type",
		`proto: syntax error (line 1:10): invalid value hunter2`:                                          "the request cannot be read at line 1:10",
		`proto: syntax error (line 1:1): unexpected token "hunter2"`:                                      "the request cannot be read at line 1:1",
		`parsing field "pin": strconv.ParseInt: parsing "hunter2": invalid syntax`:                        "the request cannot be read: the value of pin is none of its type",
		`type mismatch, parameter: bet.stake, error: strconv.ParseInt: parsing "hunter2": invalid syntax`: "the request cannot be read: the value of bet.stake is none of its type",
		`anything else about hunter2`:                                                                     "the request cannot be read",
		`strconv.ParseInt: parsing "field \"hunter2\" ": invalid syntax`:                                  "the request cannot be read",
	} {
		if got := inbound.Unreadable(message); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", message, got, want)
		}
	}
}

// What a call answered is the call's to tell, and comes as it is.
func TestOnlyRequestsWithoutACallAreUnreadable(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) {
		return nil, status.Error(codes.InvalidArgument, "the stake is too high")
	}})
	conn := f.Conn(inbound.RESTConfig{})
	for makesCall, want := range map[bool]string{true: "the stake is too high", false: "the request cannot be read"} {
		w := httptest.NewRecorder()
		f.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := status.Error(codes.InvalidArgument, `invalid value "hunter2"`)
			if makesCall {
				err = conn.Invoke(r.Context(), unary, new(message), new(message))
			}
			inbound.WriteError(w, r, err, gateway.HTTPStatusFromCode)
		}), inbound.HTTPLimits{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/", nil))
		if got := w.Body.String(); !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("makes a call: %t: answered %s, want %s", makesCall, got, want)
		}
	}
}
