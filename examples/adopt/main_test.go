package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
	"github.com/betmakers/paddock/middleware"
)

// The service answers, its calls are measured and logged, and a stop ends a stream that would go on
// for hours.
func TestAdopt(t *testing.T) {
	log := new(output)
	calls, requests := listen(t), listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, slog.New(slog.NewJSONHandler(log, nil)), calls, requests) }()

	pass, err := middleware.NewClient(middleware.Config{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(calls.Addr().String(), append(pass.DialOptions("hello"), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := hellov1.NewHelloServiceClient(conn)
	answer, err := client.SayHello(t.Context(), &hellov1.SayHelloRequest{Name: "Anna"})
	if err != nil || answer.GetMessage() != "Hello, Anna!" {
		t.Fatalf("got %v, %v", answer, err)
	}
	stream, err := client.Count(t.Context(), &hellov1.CountRequest{Name: "Anna", Times: 2, PauseMs: 3_600_000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if page := scrape(t, requests.Addr().String()); !strings.Contains(page,
		`rpc_server_call_duration_seconds_count{error_type="",rpc_method="hello.v1.HelloService/SayHello",rpc_status_code="OK",rpc_system_name="grpc"} 1`) {
		t.Errorf("the call is not counted:\n%s", page)
	}
	stop()
	if _, err := stream.Recv(); err != io.EOF { //nolint:errorlint // streams return the value itself
		t.Errorf("the stream ended with %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the service ended with %v", err)
	}
	for _, want := range []string{`"method":"hello.v1.HelloService/SayHello"`, `"route":"/metrics"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, log)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func scrape(t *testing.T, addr string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// output is a log that goroutines write.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
