package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	frontdeskv1 "github.com/betmakers/paddock/examples/gen/frontdesk/v1"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// hello stands in for the service of that name: a whole service, with what a test wants for an
// answer.
type hello struct {
	hellov1.UnimplementedHelloServiceServer
}

func (hello) SayHello(_ context.Context, req *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	if req.GetName() == "nobody" {
		return nil, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)
	}
	return &hellov1.SayHelloResponse{Message: "Hello, " + req.GetName() + "!"}, nil
}

// start runs frontdesk beside hello.
func start(t *testing.T) (desk, greeter *chassistest.Running) {
	t.Helper()
	greeter = chassistest.Start(t, chassis.Service{Name: "hello", Setup: func(_ context.Context, app *chassis.App) error {
		hellov1.RegisterHelloServiceServer(app, hello{})
		app.WithoutGateway("hello.v1.HelloService") // frontdesk calls it by gRPC
		return nil
	}}, chassistest.Options{})
	return chassistest.Start(t, Service(), chassistest.Options{Peers: map[string]*chassistest.Running{"hello": greeter}}), greeter
}

func TestWelcome(t *testing.T) {
	desk, greeter := start(t)
	client := frontdeskv1.NewFrontDeskServiceClient(desk.ConnAs("web"))
	got, err := client.Welcome(t.Context(), &frontdeskv1.WelcomeRequest{Guest: "Ada"})
	if want := "Hello, Ada! Your room is ready."; err != nil || got.GetMessage() != want {
		t.Errorf("got %q, %v; want %q", got.GetMessage(), err, want)
	}
	_, err = client.Welcome(t.Context(), &frontdeskv1.WelcomeRequest{Guest: "nobody"})
	if !errors.Is(err, chassis.Reason(hellov1.ErrorReason_NAME_TOO_LONG)) {
		t.Errorf("got %v, want the reason that hello has", err)
	}
	for _, line := range greeter.Logs("call") {
		if line["peer"] != "spiffe://test/frontdesk" {
			t.Errorf("hello was called by %v, want frontdesk", line["peer"])
		}
	}
}

func TestREST(t *testing.T) {
	desk, greeter := start(t)
	header, body := get(t, desk.HTTP(), "http://rest/v1/welcome/Ada")
	if !strings.Contains(body, "Hello, Ada! Your room is ready.") {
		t.Errorf("got %s", body)
	}
	for name, svc := range map[string]*chassistest.Running{"frontdesk": desk, "hello": greeter} {
		if lines := svc.Logs("call"); len(lines) != 1 || lines[0]["trace_id"] != header.Get("Trace-Id") {
			t.Errorf("%s: got lines %v, want one of trace %s", name, lines, header.Get("Trace-Id"))
		}
	}
}

func get(t *testing.T, client *http.Client, url string) (http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header, string(body)
}

// Everything that the chassis promises for any service holds for this one.
func TestConformance(t *testing.T) { chassistest.Conformance(t, Service(), chassistest.Options{}) }

func TestContractIsDocumented(t *testing.T) {
	desk, _ := start(t)
	desk.ContractIn("CONTRACT.md")
}
