package chassis_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/chassis"
	feedv1 "github.com/betmakers/paddock/chassis/internal/proto/feed/v1"
)

//go:embed testdata/eventsource.html
var eventSourcePage []byte

// browser returns the command of a Chromium, and skips the test where there is none, but not in CI.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no Chromium: make setup installs it")
	}
	t.Skip("there is no Chromium: make setup installs it")
	return ""
}

// visited is what the page reports.
type visited struct {
	Protocol string   // by which the page came
	Opened   int      // how often the stream was open
	IDs      []string // of the events
	Texts    []string
	Problem  string // of the error event
	Ended    bool   // there was an end event
	State    int    // of the EventSource in the end: 2 is closed
}

// A browser's own EventSource: it gets each message once, goes on after an error where it was, and
// stops at the end, without a line of code for that.
func TestEventSourceOfABrowser(t *testing.T) {
	command := browser(t)
	for protocol, settings := range map[string]env{"http/1.1": {}, "h2": {"CHASSIS_HTTP_TLS": "true"}} {
		t.Run(protocol, func(t *testing.T) {
			var calls atomic.Int32
			reports := make(chan visited, 1)
			ports := make(chan string, 1)
			service := feeds(feed{follow: func(in *feedv1.FollowRequest, s followStream) error {
				if calls.Add(1) == 1 {
					if err := number(s, in.GetAfter()+1, in.GetAfter()+2); err != nil {
						return err
					}
					return withRetry(t, 20*time.Millisecond)
				}
				if err := s.SendHeader(metadata.MD{}); err != nil {
					return err
				}
				return number(s, in.GetAfter()+1, 4)
			}})
			inner := service.Setup
			service.Setup = func(ctx context.Context, app *chassis.App) error {
				app.HandlePublic("GET /page", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/html; charset=utf-8")
					_, _ = w.Write(eventSourcePage)
				}))
				app.HandlePublic("POST /report", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					var v visited
					body, err := io.ReadAll(r.Body)
					if err == nil {
						err = json.Unmarshal(body, &v)
					}
					if err != nil {
						t.Errorf("the page reports %s: %v", body, err)
					}
					reports <- v
				}))
				return inner(ctx, app)
			}
			service.OnEvent = func(e chassis.Event) {
				if e.Step == chassis.PortsBound {
					ports <- e.Detail
				}
			}
			runOnPorts(t, service, settings)
			_, rest, ok := strings.Cut(await(t, ports, "the ports are bound"), "REST on ")
			if !ok {
				t.Fatal("there is no REST port")
			}
			scheme := map[bool]string{false: "http", true: "https"}[protocol == "h2"]
			visit(t, command, scheme+"://"+rest+"/page")
			got := await(t, reports, "the page reports")
			want := visited{Protocol: protocol, Opened: 2, IDs: []string{"1", "2", "3", "4"}, Ended: true, State: 2,
				Texts: []string{"line\nline", "line\nline", "line\nline", "line\nline"}, Problem: "RESOURCE_EXHAUSTED"}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if n := calls.Load(); n != 2 {
				t.Errorf("%d calls, want 2", n)
			}
		})
	}
}

// runOnPorts runs a service on ports of the machine until the test ends.
func runOnPorts(t *testing.T, service chassis.Service, settings env) {
	t.Helper()
	t.Setenv("HOME", t.TempDir()) // of the development authority
	for _, port := range []string{"GRPC", "HTTP", "ADMIN"} {
		t.Setenv("CHASSIS_"+port+"_ADDR", "localhost:0")
	}
	for name, value := range settings {
		t.Setenv(name, value)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- chassis.Run(ctx, service) }()
	t.Cleanup(func() {
		stop()
		if err := await(t, done, "the service stops"); err != nil {
			t.Error(err)
		}
	})
}

// visit opens a page until the test ends.
func visit(t *testing.T, command, url string) {
	t.Helper()
	home, err := os.MkdirTemp("", "browser") //nolint:usetesting // processes of the browser may outlive it, and write to it
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, command, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", //nolint:gosec // a browser on the PATH
		"--no-first-run", "--disable-background-networking", "--ignore-certificate-errors",
		"--user-data-dir="+home, "--remote-debugging-port=0", url)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it ends its own processes
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()         // it was asked to end
		_ = os.RemoveAll(home) // what it still holds is in the system's folder for that
	})
}
