package chassistest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/outbound"
)

// defaultCaller is the caller of Conn, TLS and HTTP.
const defaultCaller = "client"

// Conn returns a gRPC connection of the caller "client" to the service; see [Running.ConnAs].
func (r *Running) Conn() *grpc.ClientConn {
	r.t.Helper()
	return r.ConnAs(defaultCaller)
}

// ConnAs returns a gRPC connection to the service. Caller is the proven identity: a SPIFFE ID, or
// a name in [TrustDomain]. With CHASSIS_MTLS=off the connection has neither TLS nor identity.
// Errors of its calls are [chassis.Error] values. It is closed at the end of the test. An invalid
// caller fails the test.
//
//	hello := hellov1.NewHelloServiceClient(svc.ConnAs("web"))
func (r *Running) ConnAs(caller string) *grpc.ClientConn {
	r.t.Helper()
	if r.env["CHASSIS_MTLS"] == "off" {
		return r.ConnWith(grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	return r.ConnWith(grpc.WithTransportCredentials(credentials.NewTLS(r.TLSAs(caller))))
}

// ConnWith returns a gRPC connection to the service with the given options, which must include
// credentials. Use it for callers that must be refused and for interceptors. It is closed at the
// end of the test.
func (r *Running) ConnWith(opts ...grpc.DialOption) *grpc.ClientConn {
	r.t.Helper()
	opts = append(opts, outbound.Errors(chassis.ErrorOf)...)
	opts = append(opts, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return r.network.dial(ctx, "grpc")
	}))
	cc, err := grpc.NewClient("passthrough:///"+r.name, opts...)
	if err != nil {
		r.t.Fatalf("chassistest: %v", err)
	}
	r.network.onClose(func() { _ = cc.Close() })
	return cc
}

// TLS returns a new client configuration of the caller "client"; see [Running.TLSAs].
func (r *Running) TLS() *tls.Config {
	r.t.Helper()
	return r.TLSAs(defaultCaller)
}

// TLSAs returns a new client configuration that proves the identity of caller, as in
// [Running.ConnAs], and accepts only the service's identity. The test may change it.
func (r *Running) TLSAs(caller string) *tls.Config {
	r.t.Helper()
	want := idOf(r.t, r.name)
	return mtls.ClientTLS(fixed{r.ca.Identity(caller)}, func(got spiffeid.ID) error {
		if got != want {
			return fmt.Errorf("chassistest: the server is %q, expected %q", got, want)
		}
		return nil
	})
}

// HTTP returns an HTTP client of the caller "client"; see [Running.HTTPAs].
func (r *Running) HTTP() *http.Client {
	r.t.Helper()
	return r.HTTPAs(defaultCaller)
}

// HTTPAs returns an HTTP client for the service's ports. In its URLs, host "rest" is the REST
// port and "admin" the admin port. With https it proves the identity of caller, as in
// [Running.ConnAs]. In development both ports serve http, which has no identity.
//
//	response, err := svc.HTTP().Get("http://rest/v1/hello/Ada")
func (r *Running) HTTPAs(caller string) *http.Client {
	r.t.Helper()
	return r.HTTPWith(r.TLSAs(caller))
}

// HTTPWith returns an HTTP client like [Running.HTTPAs] with the given configuration for https.
// Use it for callers without a certificate and for callers that must be refused. Clients may
// share a configuration.
func (r *Running) HTTPWith(config *tls.Config) *http.Client {
	r.t.Helper()
	own := config.Clone() // a transport writes to the one that it has
	transport := &http.Transport{DialContext: r.dialHost, TLSClientConfig: own, ForceAttemptHTTP2: true}
	r.network.onClose(transport.CloseIdleConnections)
	return &http.Client{Transport: local{transport}}
}

func (r *Running) dialHost(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(addr)
	switch host {
	case "rest":
		return r.network.dial(ctx, "http")
	case "admin":
		return r.network.dial(ctx, "admin")
	default:
		return nil, fmt.Errorf("chassistest: no host %q: the hosts are rest and admin, as in http://rest/v1/hello", host)
	}
}

// local sends requests with the host name of a local user, because the admin port refuses others
// at /debug.
type local struct{ *http.Transport }

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Host == "" || strings.EqualFold(r.Host, r.URL.Host) {
		r = r.Clone(r.Context())
		r.Host = "localhost"
	}
	return l.Transport.RoundTrip(r)
}
