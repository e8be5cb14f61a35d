package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"regexp"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/bench/internal/certs"
)

// contender is one server, or one client, to measure.
type contender struct {
	// name is kind/transport/what: "grpc/mtls/assembled". The kind chooses the load generator, the
	// transport TLS.
	name string
	// baseline names the contender that this one's figures are compared with; its own name for a
	// baseline.
	baseline string
	// like names the contender without features that has as many stream workers; empty where the
	// baseline is that.
	like string
	// request is the message of each gRPC call, nil for that of Echo.
	request *request
	// start runs in the server process. It listens on a loopback port and returns its address; the
	// server then runs until the process ends.
	start func(ctx context.Context, s setup) (addr string, err error)
	// client runs in the process in place of start where what is measured is a client, and returns
	// what makes a call.
	client func(ctx context.Context, s setup) (echoCall, error)
	// env is added to the server process's environment.
	env func(dir certDir) []string
	// inFlight is the number of calls at once, over all connections.
	inFlight int
}

// certDir holds the certificates of server and generator.
type certDir = certs.Dir

// generator is whom the load generator's certificate names.
const generator = "generator"

// setup is what a server is told.
type setup struct {
	// tls is nil for plaintext. It asks for and verifies a client certificate.
	tls *tls.Config
	// certs is where the same certificates lie as files, for servers that read their own.
	certs certDir
	// target is the address of the server that a client calls.
	target string
}

func (c contender) rest() bool { return strings.HasPrefix(c.name, "rest/") }
func (c contender) tls() bool  { return strings.Contains(c.name, "/mtls/") }

const (
	connections = 4
	inFlight    = 64
)

// chassisWorkers is how many stream workers the chassis has: docs/decisions/0007-stream-workers.md.
const chassisWorkers = 64

// contenders returns what a plain run measures.
func contenders() []contender {
	var list []contender
	for _, transport := range []string{"plain", "mtls"} {
		prefix := "grpc/" + transport + "/"
		bare, like := prefix+"bare", prefix+"bare-workers"
		list = append(list,
			contender{name: bare, baseline: bare, start: startBare()},
			contender{name: like, baseline: bare, start: startBare(streamWorkers(chassisWorkers))},
			contender{name: prefix + "assembled", baseline: bare, start: startAssembled()},
			contender{name: prefix + "assembled-workers", baseline: bare, like: like, start: startAssembled(grpc.NumStreamWorkers(chassisWorkers))},
			contender{name: prefix + "chassis", baseline: bare, like: like, start: startChassisGRPC(&echo{}), env: chassisEnv(transport)},
		)
	}
	list = append(list, shapes()...)
	const bare = "rest/plain/bare"
	list = append(list,
		contender{name: bare, baseline: bare, start: startREST},
		contender{name: "rest/plain/gateway-bufconn", baseline: bare, start: startGatewayBufconn},
		contender{name: "rest/plain/gateway-tcp", baseline: bare, start: startGatewayTCP},
	)
	list = append(list, contender{
		name: "rest/plain/chassis", baseline: bare, start: startChassisREST, env: chassisEnv("plain"),
	})
	return append(withDefaults(list), clientContenders()...)
}

// shapes are calls whose costs an echo hides: handlers that look at their context, requests with
// secrets, and calls that wait. Both sides have the same stream workers.
func shapes() []contender {
	var list []contender
	for _, shape := range []struct {
		name    string
		handler echo
		request *request
	}{
		{"context", echo{looks: true}, nil},
		{"secrets", echo{}, &storeRequest},
		{"waits", echo{block: 2 * time.Millisecond}, nil},
	} {
		prefix := "shape/plain/" + shape.name + "-"
		bare := prefix + "bare"
		list = append(list,
			contender{
				name: bare, baseline: bare, request: shape.request,
				start: startBare(handling(shape.handler), streamWorkers(chassisWorkers)),
			},
			contender{
				name: prefix + "chassis", baseline: bare, request: shape.request,
				start: startChassisGRPC(&shape.handler), env: chassisEnv("plain"),
			},
		)
	}
	return list
}

// workerContenders answers one question: should a server set grpc.NumStreamWorkers? Handlers that
// return at once are where it can win, handlers that wait are where it can lose.
func workerContenders() []contender {
	var list []contender
	for _, handler := range []struct {
		name  string
		block time.Duration
	}{{"cheap", 0}, {"blocking", 2 * time.Millisecond}} {
		for _, flight := range []int{64, 256} {
			prefix := fmt.Sprintf("grpc/plain/%s-%d-in-flight", handler.name, flight)
			for _, workers := range []uint32{0, 64, 256} {
				list = append(list, contender{
					name:     fmt.Sprintf("%s/workers-%d", prefix, workers),
					baseline: prefix + "/workers-0",
					start:    startBare(blocking(handler.block), streamWorkers(workers)),
					inFlight: flight,
				})
			}
		}
	}
	return withDefaults(list)
}

// streamDescContenders compares a unary method registered by its MethodDesc with one registered as
// a StreamDesc that streams in neither direction.
func streamDescContenders() []contender {
	var list []contender
	for _, transport := range []string{"plain", "mtls"} {
		bare := "grpc/" + transport + "/bare"
		list = append(list,
			contender{name: bare, baseline: bare, start: startBare()},
			contender{name: bare + "-as-stream", baseline: bare, start: startBare(asStream)},
		)
	}
	return withDefaults(list)
}

func withDefaults(list []contender) []contender {
	for i := range list {
		if list[i].inFlight == 0 {
			list[i].inFlight = inFlight
		}
	}
	return list
}

// allContenders is what a server process looks its own name up in.
func allContenders() []contender {
	return append(append(contenders(), workerContenders()...), streamDescContenders()...)
}

// choose keeps the contenders that match and the baselines they need.
func choose(list []contender, pattern *regexp.Regexp) ([]contender, error) {
	wanted := map[string]bool{}
	for _, c := range list {
		if pattern.MatchString(c.name) {
			wanted[c.name], wanted[c.baseline], wanted[c.like] = true, true, true
		}
	}
	var chosen []contender
	for _, c := range list {
		if wanted[c.name] {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no contender matches %q", pattern)
	}
	return chosen, nil
}
