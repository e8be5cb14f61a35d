package chassis_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// shortly is a stop in which streams have 2 s, and their handlers as much to come back.
var shortly = env{"CHASSIS_SHUTDOWN_TIMEOUT": "7s"}

// Streams alone never make a stop that cuts calls: what does not listen to Draining is ended while
// there is time.
func TestStreamsThatDoNotListenAreEnded(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 32<<10)
	for name, waits := range map[string]func(context.Context, func(string) error) error{
		"for its context": func(ctx context.Context, _ func(string) error) error { <-ctx.Done(); return ctx.Err() },
		"for its client": func(_ context.Context, send func(string) error) error {
			for {
				if err := send(big); err != nil {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered := make(chan struct{}, 2)
			svc := start(t, echoes(&echo.Service{OnList: func(ctx context.Context, _ string, send func(string) error) error {
				if err := send("first"); err != nil {
					return err
				}
				entered <- struct{}{}
				return waits(ctx, send)
			}}), shortly)
			stream, err := echo.List(t.Context(), svc.Conn(), "")
			if err != nil {
				t.Fatal(err)
			}
			await(t, entered, "the handler is called by gRPC")
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://rest/v1/list/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := svc.HTTP().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close() //nolint:errcheck // of a test
			await(t, entered, "the handler is called by REST")
			svc.RequestStop()
			svc.WaitFor(chassis.CallsFinished)
			for err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != codes.Unavailable {
				t.Errorf("gRPC: got %v, want UNAVAILABLE", err)
			}
			if name == "for its context" { // else the client has not read what came before, and its connection ends
				expectAll(t, err.Error(), "the server is shutting down")
				last := lastLine(t, resp.Body)
				expectAll(t, last, `"error"`, "the server is shutting down")
			}
			svc.Stop() // without an error
			expectSteps(t, svc.Events(), startOrder, stopOrder)
		})
	}
}

func lastLine(t *testing.T, r io.Reader) string {
	t.Helper()
	last := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if lines.Text() != "" {
			last = lines.Text()
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	return last
}

// A handler of a stream that ignores its context is cut and named as any other.
func TestDeafStreamIsCutAndNamed(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	svc := start(t, echoes(&echo.Service{OnList: func(context.Context, string, func(string) error) error {
		close(entered)
		<-release
		return nil
	}}), shortly)
	stream, err := echo.List(t.Context(), svc.Conn(), "")
	if err != nil {
		t.Fatal(err)
	}
	await(t, entered, "the handler is called")
	svc.RequestStop()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable { // before the handler returns
		t.Errorf("got %v, want UNAVAILABLE", err)
	}
	err = svc.Wait()
	if !errors.Is(err, chassis.ErrCallsCut) {
		t.Fatalf("got %v, want ErrCallsCut", err)
	}
	expectAll(t, err.Error(), "test.v1.EchoService/List (1)")
	close(release)
}

// The streams of the chassis itself hold up no stop.
func TestHealthAndReflectionStreamsEnd(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), shortly)
	watch, err := healthpb.NewHealthClient(svc.Conn()).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	reflect, err := reflectionpb.NewServerReflectionClient(svc.Conn()).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	list := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
	if err := reflect.Send(list); err != nil {
		t.Fatal(err)
	}
	if _, err := reflect.Recv(); err != nil {
		t.Fatal(err)
	}
	svc.Stop() // without an error
	if _, err := reflect.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("reflection: got %v, want UNAVAILABLE", err)
	}
	expectSteps(t, svc.Events(), startOrder, stopOrder)
}

// A handler of plain HTTP that is cut is named by its pattern, and the stop is none in good order.
func TestPlainHTTPThatIsCutIsNamed(t *testing.T) {
	t.Parallel()
	for name, hijacks := range map[string]bool{"a download": false, "a connection of its own": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered, release, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
			svc := start(t, echoes(&echo.Service{}, func(app *chassis.App) {
				app.HandlePublic("GET /long/{id}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					defer close(left)
					if hijacks {
						conn, _, err := http.NewResponseController(w).Hijack()
						if err != nil {
							t.Error(err)
							return
						}
						defer conn.Close() //nolint:errcheck // of a test
					}
					close(entered)
					<-release
				}))
			}), env{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms"})
			go func() {
				if resp, err := svc.HTTP().Get("http://rest/long/1"); err == nil { //nolint:noctx // it ends
					_ = resp.Body.Close()
				}
			}()
			await(t, entered, "the handler is called")
			svc.RequestStop()
			err := svc.Wait()
			if !errors.Is(err, chassis.ErrCallsCut) {
				t.Fatalf("got %v, want ErrCallsCut", err)
			}
			expectAll(t, err.Error(), "GET /long/{id} (1)")
			cut := slices.Clone(stopOrder)
			cut[slices.Index(cut, chassis.CallsFinished)] = chassis.CallsCut
			expectSteps(t, svc.Events(), startOrder, cut)
			close(release)
			await(t, left, "the handler returns")
		})
	}
}

// A REST call that is cut before its handler was called, or when it has answered, is named by its
// route.
func TestRESTCallThatIsCutIsNamed(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_SHUTDOWN_TIMEOUT": "3100ms"})
	body, more := io.Pipe() // the caller takes its time
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://rest/v1/say", body)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if resp, err := svc.HTTP().Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	half := `"half of` + strings.Repeat(" it", 1<<20) // more than buffers take: the service reads it
	if _, err := io.WriteString(more, half); err != nil {
		t.Fatal(err)
	}
	svc.RequestStop()
	err = svc.Wait()
	if !errors.Is(err, chassis.ErrCallsCut) {
		t.Fatalf("got %v, want ErrCallsCut", err)
	}
	expectAll(t, err.Error(), "POST /v1/say (1)")
	_ = more.Close() // the client waits for its body
	await(t, answered, "the client hears of it")
}

// Plain HTTP handlers are told of the stop, and have the time to end in good order, their
// connection hijacked or not.
func TestPlainHTTPListensToDraining(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	var svc interface{ Events() []chassis.Event }
	served := false
	running := start(t, echoes(&echo.Service{}, func(app *chassis.App) {
		app.HandlePublic("GET /socket", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close() //nolint:errcheck // of a test
			close(entered)
			<-chassis.Draining(r.Context())
			_, err = buffered.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbye")
			if err := errors.Join(err, buffered.Flush()); err != nil {
				t.Error(err)
			}
			served = !slices.Contains(steps(svc.Events()), chassis.CallsFinished)
		}))
	}), nil)
	svc = running
	got := make(chan string, 1)
	go func() {
		resp, err := running.HTTP().Get("http://rest/socket") //nolint:noctx // it ends
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close() //nolint:errcheck // of a test
		body, _ := io.ReadAll(resp.Body)
		got <- string(body)
	}()
	await(t, entered, "the handler is called")
	running.Stop()
	if answer := await(t, got, "an answer"); answer != "bye" || !served {
		t.Errorf("got %q, waited for: %t", answer, served)
	}
}
