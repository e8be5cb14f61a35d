package chassis

import (
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/betmakers/paddock/internal/clientsettings"
	"github.com/betmakers/paddock/internal/fault"
)

// plaintext returns credentials without TLS. An injected fault can cut its connections, like
// those of mtls.
func plaintext() credentials.TransportCredentials { return cuttable{insecure.NewCredentials()} }

type cuttable struct {
	credentials.TransportCredentials
}

func (c cuttable) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	watched := clientsettings.Watch(conn)
	return watched, plainInfo{info, raw, watched}, nil
}

func (c cuttable) Clone() credentials.TransportCredentials {
	return cuttable{c.TransportCredentials.Clone()}
}

// plainInfo is gRPC's information about a connection without TLS, and the connection itself.
type plainInfo struct {
	credentials.AuthInfo
	raw      net.Conn
	settings *clientsettings.Conn
}

// HeaderListLimit returns the size of the headers that the client takes, 0 for any.
func (p plainInfo) HeaderListLimit() int { return p.settings.HeaderListLimit() }

// GetCommonAuthInfo reports to gRPC that the connection is not secured.
func (plainInfo) GetCommonAuthInfo() credentials.CommonAuthInfo {
	return credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}
}

// Cut breaks the connection.
func (p plainInfo) Cut() { fault.Cut(p.raw) }
