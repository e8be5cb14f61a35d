package chassis

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/outbound"
	"github.com/betmakers/paddock/telemetry"
)

// clientSide is shared by all calls to other services. It is made at the first use, because many
// services call none.
type clientSide struct {
	cfg       *configuration
	log       *slog.Logger
	telemetry *telemetry.Telemetry

	mu   sync.Mutex
	made *clientPass
}

// clientPass is the client's pass and the contracts of all linked services.
type clientPass struct {
	*outbound.Client
	methods       []*contract.Method // that the binary can call
	serviceConfig string             // of every connection to a service
}

// pass returns the client's side, always the same. It may be called concurrently.
func (c *clientSide) pass() (*clientPass, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made != nil {
		return c.made, nil
	}
	methods := contract.Linked(contract.Defaults{Timeout: c.cfg.CallTimeout}, func(service string, err error) {
		c.log.Warn("contract of a service is invalid: calls to it ignore it", "service", service, "error", err.Error())
	})
	config, err := serviceConfig(methods, c.cfg.MaxMessageBytes)
	if err != nil {
		return nil, err
	}
	t, tracing := c.telemetry, tracingOf(c.telemetry)
	client, err := outbound.NewClient(outbound.Config{
		Logger: c.log, Tracer: tracing.tracer, Sampled: t.Sampled, Methods: methods, Registerer: t.Registry(), NativeHistograms: c.cfg.NativeHistograms,
		IgnoreTraceContext: tracing.ignoreTraceContext, IgnoreBaggage: tracing.ignoreBaggage,
		Decode: decodedError,
	})
	if err != nil {
		return nil, err
	}
	c.made = &clientPass{client, methods, config}
	return c.made, nil
}

// decodedError decodes a status error into an [Error] and returns other errors unchanged.
func decodedError(err error) error {
	decoded, ok := ErrorOf(err)
	if !ok {
		return err
	}
	if own := (*Error)(nil); errors.As(err, &own) && own == decoded {
		return decoded // of an interceptor of the service
	}
	decoded.received, decoded.came = true, decoded.Message
	return decoded
}
