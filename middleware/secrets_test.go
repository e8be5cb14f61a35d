package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/leakcheck"
	"github.com/betmakers/paddock/internal/redact"
	"github.com/betmakers/paddock/middleware"
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
		if got := middleware.Unreadable(message); got != want {
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
	conn := f.Conn(middleware.RESTConfig{})
	for makesCall, want := range map[bool]string{true: "the stake is too high", false: "the request cannot be read"} {
		w := httptest.NewRecorder()
		f.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := status.Error(codes.InvalidArgument, `invalid value "hunter2"`)
			if makesCall {
				err = conn.Invoke(r.Context(), unary, new(message), new(message))
			}
			middleware.WriteError(w, r, err, gateway.HTTPStatusFromCode)
		}), middleware.HTTPLimits{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/", nil))
		if got := w.Body.String(); !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("makes a call: %t: answered %s, want %s", makesCall, got, want)
		}
	}
}

// Credentials that a handler has put into its error are in neither the answer nor the line; its own words are.
func TestCredentialsAreNotAnswered(t *testing.T) {
	for _, method := range []string{unary, serverStream, bidiStream} {
		f, conn := start(t, testHandlers{
			unary: func(ctx context.Context, _ *message) (*message, error) {
				return nil, failWithMetadata(ctx)
			},
			stream: func(s grpc.ServerStream) error { return failWithMetadata(s.Context()) },
		})
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer hunter2-token", "cookie", "a=hunter2-cookie; b=hunter2-other",
			"x-api-key", "hunter2-key", "tenant", "acme", "x-short-token", "acme")
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.SendMsg(new(message)), stream.CloseSend() // drainStream tells how it went
		err = drainStream(stream)
		f.settle(t)
		if text := status.Convert(err).Message(); strings.Contains(text, "hunter2") || !strings.Contains(text, "tenant acme") {
			t.Errorf("%s: answered %s", method, text)
		}
		if line := f.lines.String(); strings.Contains(line, "hunter2") || !strings.Contains(line, "tenant acme") {
			t.Errorf("%s: logged %s", method, line)
		}
	}
}

func failWithMetadata(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	_, token, _ := strings.Cut(md["authorization"][0], " ")
	return status.Errorf(codes.FailedPrecondition, "tenant %s: %s, %s, %s: hunter2-other", md["tenant"][0], token, md["cookie"], md["x-api-key"])
}

// A call without anything secret has no secrets to look for.
func TestNothingSecret(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		if texts := redact.TextsOf(ctx); texts != nil {
			t.Errorf("got %v", texts)
		}
		return in, nil
	}})
	if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); err != nil {
		t.Fatal(err)
	}
}
