package h2

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/conformance/internal/known"
	"github.com/betmakers/paddock/conformance/internal/report"
	"github.com/betmakers/paddock/conformance/internal/serve"
	shapesv1 "github.com/betmakers/paddock/conformance/proto/shapes/v1"
)

// result of a case.
type result string

const (
	passed  result = "passed"
	failed  result = "failed"
	skipped result = "skipped"
)

// Every case passes that the reference passes, but for those on the list. h2spec sends and reads at
// the same time, so some cases fail by chance, on every server: what counts is a case that fails
// each time and that the reference has ever passed. Without make conformance, only the parts are
// run that depend on no chance, once.
func TestH2Spec(t *testing.T) {
	list := known.Read(t, "differences.txt")
	counted := new(report.Table)
	counted.Row("port", "passed", "by chance", "failed", "skipped", "worse than the reference", "of these known")
	count := func(port string, results, reference runs) {
		worse, knowns := 0, 0
		for _, id := range results.ids() {
			if results.ever(id, passed) || results.ever(id, skipped) || !reference.ever(id, passed) {
				continue
			}
			worse++
			if _, ok := list.Explain(port, id); ok {
				knowns++
			} else {
				t.Errorf("%s: %s fails, and passes with the reference", port, id)
			}
		}
		counted.Row(port, results.always(passed), len(results.ids())-results.always(passed)-results.always(failed)-results.always(skipped), results.always(failed), results.always(skipped), worse, knowns)
	}
	ports := startChassis(t)

	grpcgo := grpc.NewServer()
	shapesv1.RegisterRouteServiceServer(grpcgo, shapesv1.UnimplementedRouteServiceServer{})
	reference := run(serve.GRPC(t, grpcgo), false)
	count("grpc-go, h2c", reference, reference)
	count("chassis gRPC, h2c", run(ports.GRPC, false), reference)

	plain := &http.Server{Handler: gateway.NewServeMux(), TLSConfig: serve.NewDomain(t).TLS("plain")} //nolint:gosec // serve.HTTP bounds it
	plain.TLSConfig.ClientAuth = tls.NoClientCert
	reference = run(serve.HTTP(t, plain), true)
	count("net/http, TLS", reference, reference)
	count("chassis REST, TLS", run(ports.HTTP, true), reference)

	list.CheckUsed(t)
	counted.Write(t, "h2spec")
}

// runs are the results of each run, by case.
type runs []map[string]result

func (r runs) ids() []string { return slices.Sorted(maps.Keys(r[0])) }

// ever reports whether a case has had the result.
func (r runs) ever(id string, which result) bool {
	return slices.ContainsFunc(r, func(one map[string]result) bool { return one[id] == which })
}

// always is the number of cases that have had no other result.
func (r runs) always(which result) int {
	n := 0
	for _, id := range r.ids() {
		if !slices.ContainsFunc(r, func(one map[string]result) bool { return one[id] != which }) {
			n++
		}
	}
	return n
}

func startChassis(t *testing.T) serve.Ports {
	t.Helper()
	h2c, err := serve.Chassis(t, service(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ports, err := serve.Chassis(t, service(), serve.NewDomain(t).Settings("shapes", map[string]string{"CHASSIS_HTTP_TLS": "true"}))
	if err != nil {
		t.Fatal(err)
	}
	return serve.Ports{GRPC: h2c.GRPC, HTTP: ports.HTTP}
}

func service() chassis.Service {
	return chassis.Service{
		Name: "shapes",
		Setup: func(ctx context.Context, app *chassis.App) error {
			shapesv1.RegisterRouteServiceServer(app, shapesv1.UnimplementedRouteServiceServer{})
			app.Gateway(ctx, shapesv1.RegisterRouteServiceHandler)
			return nil
		},
	}
}

// run returns the results of the cases at addr.
func run(addr string, tls bool) runs {
	times, sections := 1, []string{"generic", "hpack"}
	if report.Long() {
		times, sections = 3, nil
	}
	host, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	list := make(runs, times)
	for i := range list {
		c := &config.Config{
			Host: host, Port: number, Path: "/v1/one/a", TLS: tls, Insecure: true,
			Timeout: 500 * time.Millisecond, MaxHeaderLen: 4000, Strict: true, Sections: sections,
		}
		list[i] = map[string]result{}
		for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
			group.Test(c)
			collect(group, list[i])
		}
	}
	return list
}

func collect(group *spec.TestGroup, results map[string]result) {
	for i, one := range append(group.Tests, group.StrictTests...) {
		if one.Result == nil {
			continue
		}
		id := group.ID() + "/" + strconv.Itoa(i+1) + " " + one.Desc
		switch {
		case one.Result.Skipped:
			results[id] = skipped
		case one.Result.Failed:
			results[id] = failed
		default:
			results[id] = passed
		}
	}
	for _, inner := range group.Groups {
		collect(inner, results)
	}
}
