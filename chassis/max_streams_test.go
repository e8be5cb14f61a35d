package chassis_test

import (
	"context"
	"testing"
	"time"

	"github.com/betmakers/paddock/chassis"
	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

// chatting is a service of streams that stay open, as those of subscribers do.
type chatting struct{ storing }

func (chatting) Watch(_ *vaultv1.WatchRequest, stream vaultv1.VaultService_WatchServer) error {
	if err := stream.Send(new(vaultv1.WatchResponse)); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// A client that holds many streams has its unary calls answered beside them, on the same
// connection.
func TestCallsBesideManyStreams(t *testing.T) {
	t.Parallel()
	svc := start(t, chassis.Service{Name: "vault", Setup: func(_ context.Context, app *chassis.App) error {
		vaultv1.RegisterVaultServiceServer(app, chatting{})
		return nil
	}}, env{"CHASSIS_LOG_REQUESTS": "none", "CHASSIS_POLICY_OVERRIDES": `{"vault.v1.VaultService/Watch": {"public": true, "timeout": "3600s"}}`})
	client := vaultv1.NewVaultServiceClient(svc.Conn())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // where a stream waits for another one's end
	defer cancel()
	for range 600 {
		stream, err := client.Watch(ctx, new(vaultv1.WatchRequest))
		if err == nil {
			_, err = stream.Recv()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Store(ctx, new(vaultv1.StoreRequest)); err != nil {
		t.Errorf("a call beside 600 streams: %v", err)
	}
}
