package chassis_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// The gateway takes the paths that no pattern of Handle takes; both cannot have all of them.
func TestGatewayAndRootPatternConflict(t *testing.T) {
	service := chassis.Service{Name: "both", Setup: func(ctx context.Context, app *chassis.App) error {
		app.Handle("/", http.NotFoundHandler())
		return app.Gateway(ctx, func(context.Context, *gateway.ServeMux, *grpc.ClientConn) error { return nil })
	}}
	_, err := chassistest.TryStart(t, service, chassistest.Options{})
	if err == nil || !strings.Contains(err.Error(), "both want every path") {
		t.Errorf("got %v, want an error that names the conflict", err)
	}
}
