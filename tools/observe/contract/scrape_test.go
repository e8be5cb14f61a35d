package contract_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/tools/observe/contract"
)

type greeter struct {
	hellov1.UnimplementedHelloServiceServer
}

func (greeter) SayHello(_ context.Context, req *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	if req.GetName() == "nobody" {
		return nil, errors.New("a mistake")
	}
	return &hellov1.SayHelloResponse{}, nil
}

// A service serves what the catalogue has, with its types, labels and values, and nothing else
// under its names.
func TestScrapeIsTheCatalogue(t *testing.T) {
	running := chassistest.Start(t, chassis.Service{Name: "hello", Setup: func(ctx context.Context, app *chassis.App) error {
		hellov1.RegisterHelloServiceServer(app, greeter{})
		app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
		app.Go("tally", func(ctx context.Context) error { <-ctx.Done(); return nil })
		return nil
	}}, chassistest.Options{})
	client := hellov1.NewHelloServiceClient(running.ConnAs("web"))
	for _, name := range []string{"Ada", "nobody"} {
		_, _ = client.SayHello(t.Context(), &hellov1.SayHelloRequest{Name: name}) // one of them fails
	}
	if resp, err := running.HTTP().Get("http://rest/v1/nothing"); err == nil {
		resp.Body.Close()
	}
	served, complaints, err := contract.Scrape(bytes.NewReader(scrape(t, running)), catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range complaints {
		t.Error(complaint)
	}
	for _, always := range []catalog.Metric{
		catalog.RPCServerCallDuration, catalog.RPCInFlight, catalog.SLOObjective, catalog.SLORequests, catalog.SLOBadRequests,
		catalog.BuildInfo, catalog.StartTimestamp, catalog.Ready, catalog.Phase, catalog.ProtectionOff,
		catalog.HTTPServerRequestDuration, catalog.LogLinesDropped,
	} {
		if !slices.Contains(served, always.Name) {
			t.Errorf("%s is not served", always.Name)
		}
	}
}

func scrape(t *testing.T, running *chassistest.Running) []byte {
	t.Helper()
	resp, err := running.HTTP().Get("http://admin/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	return body
}

func TestScrapeFindsDifferences(t *testing.T) {
	metrics := []catalog.Metric{{Name: "chassis_x", Type: catalog.Gauge, Labels: []catalog.Label{{Name: "a", Values: "`b`, `c`"}}}}
	for text, want := range map[string]string{
		"chassis_y 1\n": "not in the catalogue",
		"# TYPE chassis_x counter\nchassis_x{a=\"b\"} 1\n":       "as a counter",
		"# TYPE chassis_x gauge\nchassis_x 1\n":                  "without its label a",
		"# TYPE chassis_x gauge\nchassis_x{a=\"b\",d=\"e\"} 1\n": "with the label d",
		"# TYPE chassis_x gauge\nchassis_x{a=\"evil\"} 1\n":      "the catalogue lists",
		"# TYPE chassis_x gauge\nchassis_x{a=\"b\"} 1\ngo_x 1\n": "",
	} {
		_, complaints, err := contract.Scrape(strings.NewReader(text), metrics)
		if got := strings.Join(complaints, "\n"); err != nil || (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
	}
}
