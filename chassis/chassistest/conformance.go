package chassistest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/internal/contract"
)

// Conformance checks that a service keeps the promises of the chassis, one subtest for each:
//
//	func TestConformance(t *testing.T) {
//		chassistest.Conformance(t, Service(), chassistest.Options{})
//	}
//
// The promises are:
//
//   - gRPC without TLS, and by TLS 1.2, is refused.
//   - By gRPC and REST, a caller reaches only the methods whose contract lists it.
//   - Every unary call has a deadline: the declared one or an earlier one of the caller.
//   - A panic ends only its own call, and its text stays in the process.
//   - Fields marked with debug_redact appear in no log, span, metric, error or debug page.
//   - Names that callers invent add no series to a metric.
//   - A stop loses no call.
//   - No goroutine is left.
//
// Requests and callers come from the descriptors of the methods. The service's own handlers and
// interceptors run only in the check of secrets. It calls each method with secret fields once,
// with a generated request that skips Validate, and accepts any answer. Options are those of
// [Start]; the checks need mutual TLS.
func Conformance(t *testing.T, service chassis.Service, opts Options) {
	t.Helper()
	conformance(t, service, opts, func(name string, check func(testing.TB)) {
		t.Run(name, func(t *testing.T) { check(t) })
	})
}

func conformance(t testing.TB, service chassis.Service, opts Options, run func(name string, check func(testing.TB))) {
	t.Helper()
	c := &conformer{probe: newProbe(), opts: opts}
	if c.opts.CA == nil {
		c.opts.CA = NewCA(t)
	}
	service.UnaryInterceptors = append([]grpc.UnaryServerInterceptor{c.probe.unary}, service.UnaryInterceptors...)
	service.StreamInterceptors = append([]grpc.StreamServerInterceptor{c.probe.stream}, service.StreamInterceptors...)
	service.Validate = nil // requests are made up, and must get through
	c.svc = Start(t, service, c.opts)
	if c.svc.env["CHASSIS_MTLS"] == "off" {
		t.Fatalf("chassistest: conformance needs mutual TLS, and CHASSIS_MTLS is off")
	}
	for _, m := range c.svc.seen.methods {
		if !m.Quiet {
			c.methods = append(c.methods, m)
		}
	}
	if len(c.methods) == 0 {
		t.Logf("chassistest: %s has no methods: of its contract there is nothing to check", service.Name)
	}
	for _, m := range c.methods {
		if _, ok := callerFor(m); !ok {
			t.Logf("chassistest: %s is open to users alone: what needs a caller by gRPC is not checked: deadlines, panics, secrets, a stop", m.Name)
		}
	}
	for _, check := range []struct {
		name string
		run  func(testing.TB)
	}{
		{"plaintext is refused", c.plaintext},
		{"TLS 1.2 is refused", c.oldTLS},
		{"callers are held to the contract", c.callers},
		{"nobody gets in by REST", c.nobodyByREST},
		{"deadlines are kept", c.deadlines},
		{"panics are contained", c.panics},
		{"secrets stay inside", c.secrets},
		{"series are bounded", c.series},
		{"a stop loses no call", c.drain}, // the service has stopped after it
		{"nothing is left running", c.nothingLeft},
	} {
		run(check.name, check.run)
	}
}

// conformer is one run of the checks on one service.
type conformer struct {
	svc     *Running
	opts    Options
	probe   *probe
	methods []*contract.Method // without those of the infrastructure
}

// callTimeout bounds one call of a check.
const callTimeout = 20 * time.Second

// call makes a call of any kind with one request, and returns its error. It cancels the call
// after a few answers.
func call(ctx context.Context, conn grpc.ClientConnInterface, m *contract.Method, mode string, request proto.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if mode != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, probeKey, mode)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, m.FullMethod)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_ = stream.CloseSend() // RecvMsg returns the error
	for range 3 {
		err := stream.RecvMsg(newMessage(answerOf(m)))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// callerFor returns an identity that may call m by gRPC, false if m admits only users.
func callerFor(m *contract.Method) (as string, ok bool) {
	candidates := []string{"conformance"}
	for _, p := range m.Callers {
		candidates = append(candidates, exampleOf(p))
	}
	for _, as := range candidates {
		if as != "" && m.Authorize(contract.Caller{ID: fullID(as)}, TrustDomain) {
			return as, true
		}
	}
	return "", false
}

// bounded returns a context for the calls of one check.
func bounded(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), callTimeout)
}
