package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// charging is a service whose Say calls wallet, and returns what handle makes of the error.
func charging(handle func(error) error) chassis.Service {
	var conn *grpc.ClientConn
	service := echoes(&echo.Service{OnSay: func(ctx context.Context, text string) (string, error) {
		out := new(echo.Text)
		if err := conn.Invoke(ctx, chargeMethod, wrapperspb.String(text), out); err != nil {
			return "", handle(err)
		}
		return out.GetValue(), nil
	}})
	setup := service.Setup
	service.Setup = func(ctx context.Context, app *chassis.App) (err error) {
		if conn, err = app.Dial(ctx, "wallet"); err != nil {
			return err
		}
		return setup(ctx, app)
	}
	return service
}

func asItCame(err error) error { return err }

// A dependency that fails tells callers from outside nothing about the mesh. Callers within get the
// error, and the log has it.
func TestFailedDependencyStaysInside(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		target string
		handle func(error) error
		says   string // to callers of the mesh
	}{
		"refused":  {"passthrough:///127.0.0.1:1", asItCame, "127.0.0.1:1"},
		"no name":  {"dns:///no-such-name.invalid:9000", asItCame, ""},
		"wrapped":  {"passthrough:///127.0.0.1:1", func(err error) error { return fmt.Errorf("charge: %w", err) }, "127.0.0.1:1"},
		"in words": {"passthrough:///127.0.0.1:1", func(err error) error { return status.Errorf(codes.Unavailable, "charge: %v", err) }, "127.0.0.1:1"},
		"a status": {"passthrough:///127.0.0.1:1", func(err error) error {
			e, _ := chassis.ErrorOf(err)
			return status.Error(e.Code, e.Message)
		}, "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := start(t, charging(tc.handle), env{"CHASSIS_WALLET_TARGET": tc.target})
			got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"hello"`, "Request-Timeout", "20")
			if got.status != http.StatusServiceUnavailable && got.status != http.StatusGatewayTimeout {
				t.Errorf("got %s", got)
			}
			for _, inside := range []string{"127.0.0.1", "no-such-name", "dial", "transport", "connection", "lookup", "rpc error", "desc =", "children"} {
				if strings.Contains(got.body, inside) {
					t.Errorf("the answer says %q: %s", inside, got.body)
				}
			}
			if n := len(svc.Logs("handler's error is not for callers from outside")); n != 1 {
				t.Errorf("the cause is logged %d times", n)
			}
			if _, err := echo.Say(t.Context(), svc.Conn(), "hello"); !strings.Contains(fmt.Sprint(err), tc.says) {
				t.Errorf("a caller of the mesh got %v, want %q", err, tc.says)
			}
		})
	}
}

// What another service says on purpose goes on to callers from outside: with a code of its own, or
// with a reason.
func TestStatusOfADependencyGoesOn(t *testing.T) {
	t.Parallel()
	var fails error
	back := chassistest.Start(t, (&wallet{answer: func(context.Context, string) (string, error) { return "", fails }}).service("wallet"), chassistest.Options{})
	handle := asItCame
	svc := chassistest.Start(t, charging(func(err error) error { return handle(err) }), reaching(back))
	for name, tc := range map[string]struct {
		fails  error
		handle func(error) error
		shown  string
	}{
		"a status":             {status.Error(codes.FailedPrecondition, "the wallet is empty"), asItCame, "the wallet is empty"},
		"an error":             {&chassis.Error{Code: codes.Unavailable, Reason: "CLOSED", Domain: "wallet", Message: "closed until five"}, asItCame, "closed until five"},
		"with another message": {errors.New("hunter2"), reworded, "try later"},
		"as a cause":           {errors.New("hunter2"), func(err error) error { return &chassis.Error{Code: codes.Internal, Message: "no charge", Cause: err} }, "no charge"},
		"no status":            {errors.New("hunter2"), asItCame, "internal error, id "},
		"unavailable":          {status.Error(codes.Unavailable, "EOF of 10.1.2.3"), asItCame, "unavailable, id "},
	} {
		fails, handle = tc.fails, tc.handle
		got := do(t, svc.HTTP(), "POST", "http://rest/v1/say", `"hello"`)
		if !strings.Contains(got.body, tc.shown) || strings.Contains(got.body, "10.1.2.3") {
			t.Errorf("%s: got %s, want %q", name, got, tc.shown)
		}
	}
}

// reworded is a handler that puts its own words in the place of another service's.
func reworded(err error) error {
	e, ok := chassis.ErrorOf(err)
	if !ok {
		return err
	}
	e.Message = "try later"
	return e
}

// Baggage goes through two services, and headers come back, whatever time a call has.
func TestCallsKeepTheirContext(t *testing.T) {
	t.Parallel()
	for _, admission := range []string{"on", "off"} {
		bags := make(chan string, 1)
		back := chassistest.Start(t, (&wallet{answer: func(ctx context.Context, text string) (string, error) {
			ctx.Done()
			bags <- baggage.FromContext(ctx).String()
			return text, nil
		}}).service("wallet"), chassistest.Options{Env: env{"CHASSIS_ADMISSION": admission}})
		opts := reaching(back)
		opts.Env = env{"CHASSIS_ADMISSION": admission}
		front := chassistest.Start(t, charging(asItCame), opts)
		for _, timeout := range []string{"", "5", "20"} {
			header := []string{"Baggage", "tenant=acme"}
			if timeout != "" {
				header = append(header, "Request-Timeout", timeout)
			}
			if got := do(t, front.HTTP(), "POST", "http://rest/v1/say", `"hello"`, header...); got.status != http.StatusOK {
				t.Fatalf("got %s", got)
			}
			if bag := await(t, bags, "the inner call"); bag != "tenant=acme" {
				t.Errorf("admission %s, by REST with the timeout %q: the baggage is %q", admission, timeout, bag)
			}
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "baggage", "tenant=acme")
		if _, err := echo.Say(ctx, front.Conn(), "hello"); err != nil {
			t.Fatal(err)
		}
		if bag := await(t, bags, "the inner call"); bag != "tenant=acme" {
			t.Errorf("admission %s, by gRPC: the baggage is %q", admission, bag)
		}
	}
}
