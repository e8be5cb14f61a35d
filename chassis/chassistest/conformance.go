package chassistest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
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
		run  func(testing.TB, *conformer)
	}{
		{"plaintext is refused", plaintext},
		{"TLS 1.2 is refused", oldTLS},
		{"callers are held to the contract", callers},
		{"nobody gets in by REST", nobodyByREST},
		{"deadlines are kept", deadlines},
		{"panics are contained", panics},
		{"secrets stay inside", secrets},
		{"series are bounded", series},
		{"a stop loses no call", drain}, // the service has stopped after it
		{"nothing is left running", nothingLeft},
	} {
		run(check.name, func(t testing.TB) { t.Helper(); check.run(t, c) })
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

// nobody returns a connection of a client whose certificate is valid and has no SPIFFE ID.
func (c *conformer) nobody() *grpc.ClientConn {
	id := c.opts.CA.Identity("nobody", func(cert *x509.Certificate) { cert.URIs = nil })
	config := c.svc.TLS()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &id.Certificate, nil }
	return c.svc.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

func (c *conformer) inFlight() (running []string) {
	for _, m := range c.methods {
		if n := c.svc.Metric("chassis_rpc_in_flight", "rpc_method", m.Name); n > 0 {
			running = append(running, fmt.Sprintf("%s (%v)", m.Name, n))
		}
	}
	return running
}

// settle waits until no call runs, when all log lines and spans are complete.
func (c *conformer) settle(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(callTimeout); c.svc.Metric("chassis_rpc_in_flight") > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("calls still run %s after their callers have gone: %s", callTimeout, strings.Join(c.inFlight(), ", "))
			return
		}
	}
}

func (c *conformer) restScheme() string {
	if c.svc.env["CHASSIS_HTTP_TLS"] == "true" {
		return "https"
	}
	return "http"
}

// page returns a page of the admin port.
func (c *conformer) page(t testing.TB, path string) string {
	t.Helper()
	scheme := "http"
	if c.svc.env["CHASSIS_ADMIN_TLS"] == "true" {
		scheme = "https"
	}
	ctx, cancel := bounded(t)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://admin"+path, http.NoBody)
	if err != nil {
		t.Fatalf("chassistest: %v", err)
	}
	answer, err := c.svc.HTTP().Do(r)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s: got %s, %v", path, answer.Status, err)
	}
	return string(body)
}
