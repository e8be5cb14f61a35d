package chassis

import (
	"net"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // clients of other languages compress by default
	"google.golang.org/grpc/keepalive"

	"github.com/betmakers/paddock/chassis/mtls"
)

// streamWorkers is the number of goroutines that serve calls and keep their grown stacks; further calls get goroutines
// of their own. docs/performance.md has the measurement.
const streamWorkers = 64

// keepaliveTimeout is how long a pinged connection has to answer.
const keepaliveTimeout = 20 * time.Second

// grpcServer is a server with its port. It owns the listener.
type grpcServer struct {
	*grpc.Server
	listener net.Listener
	done     chan error // gets what Serve returned
}

// newGRPCServer returns a server with its limits, which serves nothing yet.
func (p *ports) newGRPCServer() (*grpc.Server, error) {
	credentials := plaintext()
	if p.identity.source != nil {
		var err error
		credentials, err = mtls.ServerCredentials(p.identity.source, mtls.ObserverOptions{Logger: p.log, Registerer: p.registry})
		if err != nil {
			return nil, err
		}
	}
	messages, err := newCodec()
	if err != nil {
		return nil, err
	}
	c := p.cfg
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(messages),
		grpc.Creds(credentials),
		grpc.UnknownServiceHandler(p.chain.Unknown),
		grpc.MaxRecvMsgSize(c.MaxMessageBytes),
		grpc.MaxSendMsgSize(c.MaxMessageBytes),
		grpc.MaxHeaderListSize(uint32(c.MaxHeaderBytes)), //nolint:gosec // validated to fit 31 bits
		grpc.MaxConcurrentStreams(uint32(c.MaxStreams)),  //nolint:gosec // the same
		grpc.ConnectionTimeout(c.ConnectTimeout),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: c.KeepaliveMinTime, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: c.MaxConnectionAge, MaxConnectionAgeGrace: c.MaxConnectionGrace,
			Time: c.KeepaliveTime, Timeout: keepaliveTimeout,
		}),
	}
	if p.chain.BoundsStreams() {
		options = append(options, grpc.InTapHandle(p.chain.Tap))
	}
	return grpc.NewServer(options...), nil
}
