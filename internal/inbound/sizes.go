package inbound

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/catalog"
)

// sizes counts messages by size. A message costs two atomic additions.
type sizes struct {
	bytes  atomic.Uint64
	counts [5]atomic.Uint64 // by bucket of the catalogue, and those above the last
}

func (s *sizes) count(size int) {
	s.bytes.Add(uint64(max(size, 0)))
	for i, bound := range catalog.RPCMessageSize.Buckets {
		if float64(size) <= bound {
			s.counts[i].Add(1)
			return
		}
	}
	s.counts[len(s.counts)-1].Add(1)
}

func (s *sizes) collect(ch chan<- prometheus.Metric, desc *prometheus.Desc, name, direction string) {
	below, buckets := uint64(0), make(map[float64]uint64, len(s.counts))
	for i, bound := range catalog.RPCMessageSize.Buckets {
		below += s.counts[i].Load()
		buckets[bound] = below
	}
	below += s.counts[len(s.counts)-1].Load()
	ch <- prometheus.MustNewConstHistogram(desc, below, float64(s.bytes.Load()), buckets, name, direction)
}

// sentSize returns the size of a message that was just encoded, which keeps it.
func sentSize(m proto.Message) int { return proto.MarshalOptions{UseCachedSize: true}.Size(m) }

// measured reports whether messages of a call are measured: by gRPC only, as REST has JSON.
func measured(c *call) bool { return c.method.server.cfg.Sizes && c.http == nil && !c.method.Quiet }
