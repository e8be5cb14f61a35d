package mtls

import (
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"

	"github.com/betmakers/paddock/internal/clientsettings"
)

// ObserverOptions configure the reports of refused handshakes. Both fields may be nil. Servers
// may share a registerer, and then share the counter too.
type ObserverOptions struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// ServerCredentials returns credentials for a gRPC server that requires TLS 1.3 and a client
// certificate, and uses the identity of src at each handshake. The connection's AuthInfo is an
// [*AuthInfo]. The server's grpc.ConnectionTimeout bounds handshakes. It fails only if the metric
// cannot be registered.
//
// A client whose certificate will expire soon, or is no longer valid, gets a GOAWAY and should
// reconnect. The connection is closed 10 s after the certificate became invalid. The server has
// to refuse calls until then; see [AuthInfo.Valid].
func ServerCredentials(src Source, opts ObserverOptions) (credentials.TransportCredentials, error) {
	refused, err := newRefusals(opts.Logger, opts.Registerer)
	if err != nil {
		return nil, err
	}
	config := ServerTLS(src, ServerOptions{NextProtos: []string{"h2"}})
	return &serverCredentials{
		TransportCredentials: credentials.NewTLS(config), src: src, refused: refused, connections: new(connections),
	}, nil
}

type serverCredentials struct {
	credentials.TransportCredentials
	src         Source
	refused     *refusals
	connections *connections
}

func (c *serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	own, _ := c.src.Identity() // before the handshake asks: a later one is looked at again
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		c.refused.observe(raw.RemoteAddr(), err)
		return nil, nil, err
	}
	auth := &AuthInfo{TLSInfo: info.(credentials.TLSInfo), raw: raw} //nolint:forcetypeassert // what credentials.NewTLS documents
	auth.proof = newProof(c.src, own, auth.State, time.Now())
	auth.readID()
	auth.settings = clientsettings.Watch(conn)
	plain := &goAwayConn{Conn: auth.settings}
	w := &watched{Conn: plain, raw: raw, all: c.connections, proof: auth.proof, notify: plain.leave}
	c.connections.watch(w)
	return w, auth, nil
}

func (c *serverCredentials) Clone() credentials.TransportCredentials {
	clone := *c
	clone.TransportCredentials = c.TransportCredentials.Clone()
	return &clone
}
