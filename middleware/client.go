package middleware

import (
	"fmt"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/outbound"
)

// Client is the client's half. Its methods may be called concurrently.
type Client struct{ pass *outbound.Client }

// NewClient returns a client's half and registers its metrics. Of cfg it uses Logger, Registerer,
// TracerProvider and Timeout. Methods are known by the contracts of the generated code that is linked into
// the program; a contract that is wrong is left out, with a line in the log. It fails where a metric of the
// same name is registered already: one Client serves all connections.
func NewClient(cfg Config) (*Client, error) {
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

// DialOptions are for grpc.NewClient: each call has a span, metrics, trace headers, the deadline that its
// contract declares, and less than the time that is left of the call within which it is made. Name is the
// name of the service that is called, a label of the metrics: keep them few. Retries are left to the
// service config of the connection.
func (c *Client) DialOptions(name string) []grpc.DialOption { return c.pass.DialOptions(name, false) }
