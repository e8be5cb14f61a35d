package validate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/validate"
	betsv1 "github.com/betmakers/paddock/validate/internal/proto/validatetest/v1"
)

// bets is a service whose handlers expect that what they get is valid.
type bets struct {
	betsv1.UnimplementedBetServiceServer
	t testing.TB
}

func (b *bets) PlaceBet(_ context.Context, in *betsv1.PlaceBetRequest) (*betsv1.PlaceBetResponse, error) {
	if in.GetMarket() == "" {
		b.t.Error("the handler has got a bet without a market")
	}
	return &betsv1.PlaceBetResponse{}, nil
}

func (b *bets) PlaceBets(stream grpc.ClientStreamingServer[betsv1.PlaceBetsRequest, betsv1.PlaceBetsResponse]) error {
	for taken := int32(0); ; taken++ {
		in, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return stream.SendAndClose(&betsv1.PlaceBetsResponse{Taken: taken})
		case err != nil:
			return err
		case in.GetMarket() == "":
			b.t.Error("the handler has got a bet without a market")
		}
	}
}

func (b *bets) WatchBets(in *betsv1.WatchBetsRequest, stream grpc.ServerStreamingServer[betsv1.WatchBetsResponse]) error {
	if in.GetMarket() == "" {
		b.t.Error("the handler has got a request without a market")
	}
	return stream.Send(&betsv1.WatchBetsResponse{})
}

func start(t testing.TB) *chassistest.Running {
	t.Helper()
	return chassistest.Start(t, chassis.Service{
		Name:     "bets",
		Validate: validate.Must(),
		Setup: func(ctx context.Context, app *chassis.App) error {
			betsv1.RegisterBetServiceServer(app, &bets{t: t})
			app.Gateway(ctx, betsv1.RegisterBetServiceHandler)
			return nil
		},
	}, chassistest.Options{})
}

// valid returns a request that breaks no rule.
func valid() *betsv1.PlaceBetRequest {
	return &betsv1.PlaceBetRequest{
		Market: "final", Legs: []*betsv1.Leg{{Stake: 1, Payout: 2}}, Payment: &betsv1.PlaceBetRequest_Card{Card: "4000"},
	}
}

// violations returns field and description of each violation in a status.
func violations(t testing.TB, err error) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, detail := range status.Convert(err).Details() {
		request, ok := detail.(*errdetails.BadRequest)
		if !ok {
			t.Errorf("got a detail %T, want a BadRequest", detail)
			continue
		}
		for _, v := range request.GetFieldViolations() {
			all[v.GetField()] = v.GetDescription()
		}
	}
	return all
}

// rejected expects that one call was refused, for what it had sent.
func rejected(t testing.TB, svc *chassistest.Running, method string) {
	t.Helper()
	if got := svc.Metric("chassis_rpc_rejected_total", "rpc_method", method, "reason", "invalid"); got != 1 {
		t.Errorf("got %v calls of %s rejected as invalid, want 1", got, method)
	}
}

const ownProcess = "VALIDATE_TEST_OWN_PROCESS"

// inProcessOfItsOwn runs the test that calls it in another process, and reports whether it has: the
// caller returns then.
func inProcessOfItsOwn(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownProcess) != "" {
		return false
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownProcess+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return true
}
