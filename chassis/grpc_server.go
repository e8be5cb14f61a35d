package chassis

import (
	"net"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // clients of other languages compress by default
	"google.golang.org/grpc/keepalive"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/inbound"
)

// streamWorkers is the number of goroutines that serve calls and keep their grown stacks. Further
// calls get their own goroutines. docs/performance.md has the measurement.
const streamWorkers = 64

// grpcServer is a server with its port. It owns the listener.
type grpcServer struct {
	*grpc.Server
	listener net.Listener
	done     chan error // gets what Serve returned
}

// newGRPCServer returns a server with its limits. It does not serve yet.
func (o *opener) newGRPCServer(chain *inbound.Server) (*grpc.Server, error) {
	credentials := plaintext()
	if o.identity.source != nil {
		var err error
		credentials, err = mtls.ServerCredentials(o.identity.source, mtls.ObserverOptions{Logger: o.log, Registerer: o.registry})
		if err != nil {
			return nil, err
		}
	}
	messages, err := newCodec()
	if err != nil {
		return nil, err
	}
	c := o.cfg
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(messages),
		grpc.Creds(credentials),
		grpc.UnknownServiceHandler(chain.Unknown),
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
	if chain.BoundsStreams() {
		options = append(options, grpc.InTapHandle(chain.Tap))
	}
	return grpc.NewServer(options...), nil
}
