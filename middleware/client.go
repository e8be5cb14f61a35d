package middleware

import (
	"fmt"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/outbound"
)

// Client is the client's half of the pass. Its methods may be called concurrently.
type Client struct{ pass *outbound.Client }

// NewClient returns the client's half and registers its metrics. It uses Logger, Registerer,
// TracerProvider and Timeout of cfg. Methods have the contracts of the generated code that is
// linked into the program; invalid contracts are logged and ignored. NewClient fails if a metric
// of the same name is registered already: use one Client for all connections.
func NewClient(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	methods := contract.Linked(contract.Defaults{Timeout: cfg.Timeout}, func(service string, err error) {
		if cfg.Logger != nil {
			cfg.Logger.Warn("contract of a service is invalid: calls to it ignore it", "service", service, "error", err.Error())
		}
	})
	pass, err := outbound.NewClient(outbound.Config{
		Logger: cfg.Logger, Tracer: cfg.tracer(), Sampled: sampled, Methods: methods, Registerer: cfg.Registerer,
	})
	if err != nil {
		return nil, fmt.Errorf("middleware: %w", err)
	}
	return &Client{pass}, nil
}

// DialOptions returns options for grpc.NewClient:
//
//	options := append(client.DialOptions("wallet"), grpc.WithTransportCredentials(creds))
//	conn, err := grpc.NewClient(target, options...)
//
// Each call then has a span, metrics, trace headers and the deadline of its contract. Within a
// call that is being served, its deadline is a little before the end of that call. Name is the
// name of the called service. It is a label of metrics, so use few names. The service config of
// the connection decides about retries. Interceptors that are chained after these options run
// inside the pass, and see its deadline; those chained before, and grpc.WithUnaryInterceptor, run
// around it, where each attempt of a retry counts as a call.
func (c *Client) DialOptions(name string) []grpc.DialOption { return c.pass.DialOptions(name, false) }
