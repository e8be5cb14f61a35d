package mtls

import (
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"
)

// ObserverOptions says where refused handshakes are told. Both may be nil. Several servers may share a registerer:
// they share the counter too.
type ObserverOptions struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// ServerCredentials returns credentials for a gRPC server that speaks TLS 1.3 and demands a client certificate, with
// what src has in force at each handshake. The connection's AuthInfo is an [*AuthInfo]. Handshakes are bounded in time by
// the server's grpc.ConnectionTimeout. It fails only if the metric cannot be registered.
func ServerCredentials(src Source, opts ObserverOptions) (credentials.TransportCredentials, error) {
	refused, err := newRefusals(opts.Logger, opts.Registerer)
	if err != nil {
		return nil, err
	}
	config := ServerTLS(src, ServerOptions{NextProtos: []string{"h2"}})
	return &serverCredentials{TransportCredentials: credentials.NewTLS(config), refused: refused}, nil
}

type serverCredentials struct {
	credentials.TransportCredentials
	refused *refusals
}

func (c *serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		c.refused.observe(raw.RemoteAddr(), err)
		return nil, nil, err
	}
	auth := &AuthInfo{TLSInfo: info.(credentials.TLSInfo), raw: raw} //nolint:forcetypeassert // what credentials.NewTLS documents
	auth.readID()
	return conn, auth, nil
}

func (c *serverCredentials) Clone() credentials.TransportCredentials {
	return &serverCredentials{TransportCredentials: c.TransportCredentials.Clone(), refused: c.refused}
}
