package acceptance_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

func TestInventedNamesAddNoSeries(t *testing.T) {
	t.Parallel()
	const invented = 10_000
	p := start(t, hello, "CHASSIS_LOG_REQUESTS=none")
	conn, rest := dial(t, p.grpc, p.developer()), newHTTPClient(t, nil)
	url := "http://" + p.rest

	kinds := []struct {
		name string
		call func(i int) error
	}{
		{"gRPC methods of invented services", func(i int) error { return wantUnimplemented(conn, fmt.Sprintf("/made.v%d.Up/Call", i)) }},
		{"invented gRPC methods of our service", func(i int) error {
			return wantUnimplemented(conn, fmt.Sprintf("/hello.v1.HelloService/Made%d", i))
		}},
		{"REST paths, hosts and user agents", func(i int) error {
			return visit(rest, http.MethodGet, fmt.Sprintf("%s/made/%d/up", url, i), i, http.StatusNotFound)
		}},
		{"hosts, user agents and path parameters of a route", func(i int) error {
			return visit(rest, http.MethodGet, fmt.Sprintf("%s/v1/hello/made%dup", url, i), i, http.StatusOK)
		}},
		{"verbs", func(i int) error {
			return visit(rest, fmt.Sprintf("MADE%dUP", i), url+"/v1/hello/Ann", i, http.StatusNotImplemented, http.StatusMethodNotAllowed)
		}},
	}
	for _, kind := range kinds {
		if err := kind.call(0); err != nil {
			t.Fatalf("%s: %v", kind.name, err)
		}
	}
	before := p.series()
	for _, kind := range kinds {
		inParallel(invented, 16, func(i int) {
			if t.Failed() {
				return // one is enough
			}
			if err := kind.call(i); err != nil {
				t.Errorf("%s: %v", kind.name, err)
			}
		})
		for name := range p.series() {
			if _, known := before[name]; !known {
				t.Errorf("%s: new series %s", kind.name, name)
			}
		}
		if t.Failed() {
			return
		}
	}
	if got := p.metric(`rpc_server_call_duration_seconds_count{error_type="UNIMPLEMENTED",rpc_method="_OTHER",rpc_status_code="UNIMPLEMENTED",rpc_system_name="grpc"}`); got != 2*(invented+1) {
		t.Errorf("%v unknown methods counted as _OTHER, expected %d", got, 2*(invented+1))
	}
	t.Logf("%d series", len(before))
}

func wantUnimplemented(conn *grpc.ClientConn, method string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) != codes.Unimplemented {
		return fmt.Errorf("got %w, expected UNIMPLEMENTED", err)
	}
	return nil
}

// visit makes a request with a host and a user agent of its own, and expects one of want.
func visit(client *http.Client, method, url string, i int, want ...int) error {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return err
	}
	request.Host = fmt.Sprintf("host%d.example", i)
	request.Header.Set("User-Agent", fmt.Sprintf("agent/%d", i))
	got, err := do(client, request)
	if err == nil && !slices.Contains(want, got.status) {
		err = fmt.Errorf("%s %s: status %d, expected one of %d", method, url, got.status, want)
	}
	return err
}
