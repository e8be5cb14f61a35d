package chassis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis/internal/neighbours"
	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/inbound"
)

// ports are the ports of the service: gRPC, and REST if it has HTTP. They are opened together and
// closed together.
type ports struct {
	*opener
	chain *inbound.Server
	calls atomic.Int64 // that were cut

	mu   sync.Mutex // guards the fields below until bind has returned
	grpc *grpcServer
	http *httpServer // nil without HTTP
	gone func()      // withdraws the announcement; nil if there is none
}

// bind opens every port before it serves on any, so that a service answers on all of them or
// fails to start. Rest is nil for a service without HTTP. It returns the open addresses, for
// people.
func (p *ports) bind(ctx context.Context, register func(*grpc.Server), rest http.Handler) (string, error) {
	server, err := p.newGRPCServer(p.chain)
	if err != nil {
		return "", err
	}
	register(server)
	listener, err := p.listen(ctx, "grpc", "CHASSIS_GRPC_ADDR", p.cfg.GRPCAddr)
	if err != nil {
		server.Stop() // its workers run already
		return "", fmt.Errorf("gRPC: %w", err)
	}
	restServer, err := p.openREST(ctx, rest)
	if err != nil {
		server.Stop()
		return "", errors.Join(err, listener.Close())
	}
	p.serve(&grpcServer{Server: server, listener: listener, done: make(chan error, 1)}, restServer)
	detail := "gRPC on " + listener.Addr().String()
	if restServer != nil {
		detail += ", REST on " + restServer.listener.Addr().String()
	}
	return detail, nil
}

// openREST returns the REST server with its port open, nil if the service has no HTTP.
func (p *ports) openREST(ctx context.Context, rest http.Handler) (*httpServer, error) {
	if rest == nil {
		return nil, nil //nolint:nilnil // no HTTP is no error
	}
	handler := p.chain.HTTP(rest, inbound.HTTPLimits{
		MaxBody: int64(p.cfg.MaxMessageBytes), BodyTimeout: p.cfg.BodyTimeout, WriteTimeout: p.cfg.WriteTimeout,
	})
	server, err := p.openHTTP(ctx, "http", "CHASSIS_HTTP_ADDR", p.cfg.HTTPAddr, p.cfg.HTTPTLS)
	if err != nil {
		return nil, err
	}
	server.Handler = endAged(handler)
	return server, nil
}

func (p *ports) serve(calls *grpcServer, rest *httpServer) {
	p.mu.Lock()
	p.grpc, p.http = calls, rest
	p.mu.Unlock()
	go func() { calls.done <- calls.Serve(calls.listener) }()
	if rest != nil {
		rest.serve()
	}
}

// announce lets the other services of a developer's machine find this one by its name.
func (p *ports) announce(service string) {
	if !p.cfg.development() || p.around.replaced() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	withdraw, err := neighbours.DefaultFolder(p.around.getenv).Announce(service, reachable(p.grpc.listener.Addr()))
	if err != nil {
		p.log.Warn("other services of this machine cannot find this one by its name", "error", err.Error())
		return
	}
	p.gone = withdraw
}

// withdraw ends the announcement, if there is one.
func (p *ports) withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil {
		p.gone()
	}
}

// addresses returns the addresses of open ports. The debug page may ask before they are open.
func (p *ports) addresses() []admin.KV {
	p.mu.Lock()
	defer p.mu.Unlock()
	var open []admin.KV
	if p.grpc != nil {
		open = append(open, admin.KV{Key: "gRPC", Value: p.grpc.listener.Addr().String()})
	}
	if p.http != nil {
		open = append(open, admin.KV{Key: "REST", Value: p.http.listener.Addr().String()})
	}
	return open
}
