package validate_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	betsv1 "github.com/betmakers/paddock/validate/internal/proto/validatetest/v1"
)

func TestByGRPC(t *testing.T) {
	t.Parallel()
	svc := start(t)
	client := betsv1.NewBetServiceClient(svc.ConnAs("web"))
	if _, err := client.PlaceBet(t.Context(), valid()); err != nil {
		t.Errorf("a valid request: %v", err)
	}
	_, err := client.PlaceBet(t.Context(), &betsv1.PlaceBetRequest{Legs: valid().GetLegs(), Payment: valid().GetPayment()})
	if status.Code(err) != codes.InvalidArgument || violations(t, err)["market"] == "" {
		t.Errorf("got %v, want INVALID_ARGUMENT with a violation of market", err)
	}
	rejected(t, svc, "validatetest.v1.BetService/PlaceBet")
}

// What a server streams an answer to is checked before its handler runs.
func TestByServerStream(t *testing.T) {
	t.Parallel()
	svc := start(t)
	client := betsv1.NewBetServiceClient(svc.ConnAs("web"))
	for market, want := range map[string]codes.Code{"final": codes.OK, "": codes.InvalidArgument} {
		stream, err := client.WatchBets(t.Context(), &betsv1.WatchBetsRequest{Market: market})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != want || want != codes.OK && violations(t, err)["market"] == "" {
			t.Errorf("market %q: got %v, want %v with its violation", market, err, want)
		}
	}
	rejected(t, svc, "validatetest.v1.BetService/WatchBets")
}

// What a client streams is checked message by message: what came before has been taken, and the
// handler is told.
func TestByClientStream(t *testing.T) {
	t.Parallel()
	svc := start(t)
	stream, err := betsv1.NewBetServiceClient(svc.ConnAs("web")).PlaceBets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, market := range []string{"final", ""} {
		if err := stream.Send(&betsv1.PlaceBetsRequest{Market: market}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = stream.CloseAndRecv()
	if status.Code(err) != codes.InvalidArgument || violations(t, err)["market"] == "" {
		t.Errorf("got %v, want INVALID_ARGUMENT with a violation of market", err)
	}
	if got := svc.Metric("rpc_server_call_duration_seconds", "rpc_method", "validatetest.v1.BetService/PlaceBets", "rpc_status_code", "INVALID_ARGUMENT"); got != 1 {
		t.Errorf("got %v calls with INVALID_ARGUMENT, want 1", got)
	}
}

func TestByREST(t *testing.T) {
	t.Parallel()
	svc := start(t)
	code, body := post(t, svc.HTTP(), `{"market": "final", "legs": [{"stake": 1, "payout": 2}], "card": "4000"}`)
	if code != http.StatusOK {
		t.Errorf("a valid request: got %d %s", code, body)
	}
	code, body = post(t, svc.HTTP(), `{"legs": [{"stake": 1, "payout": 2}, {"payout": 2}], "card": "4000", "pin": "canary", "market": "x"}`)
	if code != http.StatusBadRequest || strings.Contains(body, "canary") {
		t.Errorf("got %d %s, want 400 without the secret", code, body)
	}
	var problem struct {
		Code   string                           `json:"code"`
		Errors []struct{ Field, Detail string } `json:"errors"`
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil {
		t.Fatal(err)
	}
	if problem.Code != "INVALID_ARGUMENT" || len(problem.Errors) != 2 || !strings.Contains(body, "legs[1].stake") {
		t.Errorf("got %s, want the violations of legs[1].stake and pin", body)
	}
	rejected(t, svc, "validatetest.v1.BetService/PlaceBet")
}

func post(t *testing.T, client *http.Client, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://rest/v1/bets", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Close = true // read deadlines of connections in memory may fire late, and then end the request that comes next
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
