package chassistest

import (
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/contract"
)

// probe replaces the handlers of a service under test. Calls whose metadata has its key end here.
type probe struct {
	blocked chan string   // gets the method of each call that is held
	release chan struct{} // closed to let them go

	mu        sync.Mutex
	reached   map[string]int           // calls by method
	deadlines map[string]time.Duration // that the last call had, zero for none
}

const probeKey = "paddock-conformance"

// Modes of a call to the probe.
const (
	probeReach = "reach" // answer with errReached
	probePanic = "panic" // panic with the request
	probeBlock = "block" // hold the call until the release, then answer with errReached
)

// errReached reports that a call has reached its handler.
var errReached = status.Error(codes.Aborted, "conformance: the call reached the service")

func newProbe() *probe {
	return &probe{
		blocked: make(chan string, 1), release: make(chan struct{}), reached: map[string]int{}, deadlines: map[string]time.Duration{},
	}
}

func (p *probe) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	mode := modeOf(ctx)
	if mode == "" {
		return next(ctx, req)
	}
	return nil, p.act(ctx, info.FullMethod, mode, req)
}

func (p *probe) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	mode := modeOf(stream.Context())
	if mode == "" {
		return next(srv, stream)
	}
	request := newMessage(requestNamed(info.FullMethod))
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	return p.act(stream.Context(), info.FullMethod, mode, request)
}

// modeOf returns the mode of a call, empty for a call that is not from a check. By REST it is in
// a standard header, because the gateway forwards only these.
func modeOf(ctx context.Context) string {
	if mode := strings.Join(metadata.ValueFromIncomingContext(ctx, probeKey), ""); mode != "" {
		return mode
	}
	from := strings.Join(metadata.ValueFromIncomingContext(ctx, "grpcgateway-from"), "")
	mode, ours := strings.CutPrefix(from, probeKey+":")
	if !ours {
		return ""
	}
	return mode
}

func (p *probe) act(ctx context.Context, method, mode string, request any) error {
	p.note(ctx, method)
	switch mode {
	case probePanic:
		panic(request)
	case probeBlock:
		p.blocked <- method
		select {
		case <-p.release:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	return errReached
}

func (p *probe) note(ctx context.Context, method string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached[method]++
	p.deadlines[method] = 0
	if at, ok := ctx.Deadline(); ok {
		p.deadlines[method] = time.Until(at)
	}
}

// count returns the number of calls of m that have reached the probe.
func (p *probe) count(m *contract.Method) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reached[m.FullMethod]
}

// left returns the time that the last call of m had when it reached the probe.
func (p *probe) left(m *contract.Method) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deadlines[m.FullMethod]
}

// exampleOf returns an identity that matches a pattern, empty if the pattern is for users.
func exampleOf(p contract.Pattern) string {
	text := p.String()
	if strings.HasPrefix(text, "user:") {
		return ""
	}
	return strings.ReplaceAll(text, "*", "x")
}

// fullID returns the SPIFFE ID of a full ID or a plain name.
func fullID(as string) string {
	if strings.Contains(as, "://") {
		return as
	}
	return "spiffe://" + TrustDomain + "/" + as
}
