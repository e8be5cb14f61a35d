package chassis

import (
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/betmakers/paddock/internal/fault"
)

// plaintext is no TLS at all, with connections that an injected fault can cut, as those of mtls can be.
func plaintext() credentials.TransportCredentials { return cuttable{insecure.NewCredentials()} }

type cuttable struct {
	credentials.TransportCredentials
}

func (c cuttable) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	return conn, plainInfo{info, raw}, err
}

func (c cuttable) Clone() credentials.TransportCredentials {
	return cuttable{c.TransportCredentials.Clone()}
}

// plainInfo is what gRPC keeps about a connection without TLS, and the connection.
type plainInfo struct {
	credentials.AuthInfo
	raw net.Conn
}

// GetCommonAuthInfo tells gRPC that nothing is secured.
func (plainInfo) GetCommonAuthInfo() credentials.CommonAuthInfo {
	return credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}
}

// Cut breaks the connection.
func (p plainInfo) Cut() { fault.Cut(p.raw) }
