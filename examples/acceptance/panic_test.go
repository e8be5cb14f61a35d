package acceptance_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// secret is what the handlers of testservice panic with.
const secret = "kaboom-with-a-password"

var errorID = regexp.MustCompile(`internal error, id ([0-9a-f]{16})`)

func TestPanicsCostOneCallEach(t *testing.T) {
	t.Parallel()
	p := start(t, testservice)
	client, rest := p.client(), newHTTPClient(t, nil)
	fetched := func(path string) (string, codes.Code) {
		got, err := fetch(rest, http.MethodGet, "http://"+p.rest+path, "")
		if err != nil {
			return err.Error(), codes.Unknown
		}
		return got.body, codes.Internal
	}
	for _, tt := range []struct {
		name, message, where string
		call                 func() (answer string, code codes.Code)
	}{
		{"unary by gRPC", "handler panicked", "rpc", func() (string, codes.Code) {
			_, err := client.SayHello(within(t), &hellov1.SayHelloRequest{Name: "panic"})
			return status.Convert(err).Message(), status.Code(err)
		}},
		{"stream by gRPC", "handler panicked", "rpc", func() (string, codes.Code) {
			err := drain(client.Count(within(t), &hellov1.CountRequest{Name: "panic"}))
			return status.Convert(err).Message(), status.Code(err)
		}},
		{"unary by REST", "handler panicked", "rpc", func() (string, codes.Code) { return fetched("/v1/hello/panic") }},
		{"stream by REST", "handler panicked", "rpc", func() (string, codes.Code) { return fetched("/v1/hello/panic/count") }},
		{"plain HTTP", "handler panicked", "http", func() (string, codes.Code) { return fetched("/panic") }},
		{"error that is no status", "handler returned an error that is no status", "", func() (string, codes.Code) {
			_, err := client.SayHello(within(t), &hellov1.SayHelloRequest{Name: "error"})
			return status.Convert(err).Message(), status.Code(err)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			counter := `chassis_panics_total{where="` + tt.where + `"}`
			before := p.metric(counter)
			text, code := tt.call()
			id := errorID.FindStringSubmatch(text)
			if code != codes.Internal || id == nil {
				t.Fatalf("got %s %q, expected INTERNAL with an id", code, text)
			}
			if strings.Contains(text, secret) || strings.Contains(text, "goroutine") {
				t.Errorf("the caller sees too much: %s", text)
			}
			logged := p.log.await(t, line(tt.message, "error_id", id[1]))
			if logged.text("error") != secret || logged.text("trace_id") == "" {
				t.Errorf("the line lacks the cause or the trace: %v", logged)
			}
			if tt.where == "" {
				return
			}
			if !strings.Contains(logged.text("stack"), "testservice/main.go") {
				t.Errorf("the line lacks the stack: %v", logged)
			}
			if got := p.metric(counter); got != before+1 {
				t.Errorf("%s went from %v to %v", counter, before, got)
			}
		})
	}
	if _, err := client.SayHello(within(t), &hellov1.SayHelloRequest{Name: "Ann"}); err != nil {
		t.Errorf("a call afterwards: %v", err)
	}
	const internal = `rpc_server_call_duration_seconds_count{error_type="INTERNAL",rpc_method="hello.v1.HelloService/SayHello",rpc_status_code="INTERNAL",rpc_system_name="grpc"}`
	if got := p.metric(internal); got != 3 {
		t.Errorf("%v unary calls counted as INTERNAL, expected 3", got)
	}
}

// drain reads a stream to its end and returns why it ended.
func drain[M any](stream interface{ Recv() (M, error) }, err error) error {
	for err == nil {
		_, err = stream.Recv()
	}
	return err
}
