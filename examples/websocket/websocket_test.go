package websocket_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"github.com/betmakers/paddock/chassis"
)

// servers are handlers that send back what they receive.
var servers = map[string]http.HandlerFunc{
	"gorilla": func(w http.ResponseWriter, r *http.Request) {
		conn, err := new(gorilla.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return // it was answered
		}
		defer conn.Close()
		for {
			kind, text, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, text) != nil {
				return
			}
		}
	},
	"coder": func(w http.ResponseWriter, r *http.Request) {
		conn, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, text, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	},
}

// clients send a text to url and return what comes back.
var clients = map[string]func(ctx context.Context, url, text string) (string, error){
	"gorilla": func(ctx context.Context, url, text string) (string, error) {
		conn, answer, err := gorilla.DefaultDialer.DialContext(ctx, url, nil)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		defer conn.Close()
		if err := conn.WriteMessage(gorilla.TextMessage, []byte(text)); err != nil {
			return "", err
		}
		_, got, err := conn.ReadMessage()
		return string(got), err
	},
	"coder": func(ctx context.Context, url, text string) (string, error) {
		conn, _, err := coder.Dial(ctx, url, nil)
		if err != nil {
			return "", err
		}
		defer conn.CloseNow()
		if err := conn.Write(ctx, coder.MessageText, []byte(text)); err != nil {
			return "", err
		}
		_, got, err := conn.Read(ctx)
		return string(got), err
	},
}

// A message goes there and back between every server and every client, with and without middleware
// and CORS.
func TestWebSockets(t *testing.T) {
	for setting, service := range map[string]chassis.Service{
		"plain":           {Name: "sockets", Setup: register},
		"with middleware": {Name: "sockets", Setup: register, HTTPMiddleware: []func(http.Handler) http.Handler{passing}},
	} {
		t.Run(setting, func(t *testing.T) {
			if setting != "plain" {
				t.Setenv("CHASSIS_HTTP_CORS_ORIGINS", "https://app.example.com")
			}
			addr := run(t, service)
			for server := range servers {
				for client, sends := range clients {
					text := strings.Repeat(server+" and "+client, 1_000) // more than any buffer, and less than coder reads by default
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					got, err := sends(ctx, "ws://"+addr+"/"+server, text)
					cancel()
					if err != nil || got != text {
						t.Errorf("%s to %s: got %d of %d bytes, %v", client, server, len(got), len(text), err)
					}
				}
			}
		})
	}
}

func register(_ context.Context, app *chassis.App) error {
	for name, handler := range servers {
		app.HandlePublic("GET /"+name, handler)
	}
	return nil
}

// passing is a middleware that hands on the writer as it is.
func passing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
}

// run runs a service on loopback until the end of the test, and returns the address of its REST
// port.
func run(t *testing.T, service chassis.Service) string {
	t.Helper()
	t.Setenv("CHASSIS_ENVIRONMENT", "development")
	t.Setenv("CHASSIS_MTLS", "off")
	t.Setenv("CHASSIS_LOG_REQUESTS", "none")
	for _, name := range []string{"CHASSIS_GRPC_ADDR", "CHASSIS_HTTP_ADDR", "CHASSIS_ADMIN_ADDR"} {
		t.Setenv(name, "localhost:0")
	}
	opened, ended := make(chan string, 1), make(chan error, 1)
	service.OnEvent = func(e chassis.Event) {
		if _, addr, ok := strings.Cut(e.Detail, "REST on "); ok {
			opened <- addr
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- chassis.Run(ctx, service) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case addr := <-opened:
		return addr
	case err := <-ended:
		ended <- err
		t.Fatalf("the service ended: %v", err)
		return ""
	}
}
