package chassis

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/balance"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/settings"
	"github.com/betmakers/paddock/middleware"
)

// reconnectDelay bounds the wait between attempts to connect: gRPC's own bound is two minutes, in which a service that is
// back would have no calls.
const reconnectDelay = 10 * time.Second

// leastKeepalive is what a server of the chassis allows if nobody has set CHASSIS_KEEPALIVE_MIN_TIME there.
const leastKeepalive = 20 * time.Second

// Dial returns the connection to another service, by its name: the mirror of the server. It proves this service's
// identity and takes no other than spiffe://<own trust domain>/<name> for an answer, unless CHASSIS_MTLS is off. It goes
// where CHASSIS_<NAME>_TARGET says, a target of gRPC, else to dns:///<name>:9000, and spreads calls over all addresses. It
// uses no proxy: HTTPS_PROXY is for [App.HTTPClient].
// Calls are traced and measured, have the deadline that their contract declares where the caller has none earlier, and
// are sent again, within a budget, if the contract allows it and the service was unavailable. Within a call that is served
// they have what is left of its time less a small reserve; one that cannot finish in it fails without being sent. Their
// errors are [Error] values.
//
// Dial does not connect: the first call does. The state of the connection is a health check under the name of the service,
// which is reported and leaves this service ready; for one that it cannot do without, see [App.DialRequired].
//
// Dial belongs in Setup. There is one connection to a service, however often it is asked for, and the chassis closes it
// when calls and workers have ended. ctx is for what comes before the connection exists; it does not bound its life.
func (a *App) Dial(ctx context.Context, name string) (*grpc.ClientConn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("chassis: dial %q: %w", name, err)
	}
	if a.closed {
		return nil, errLate
	}
	if !serviceName.MatchString(name) {
		return nil, fmt.Errorf("chassis: dial %q: a service's name is lower-case letters, digits and dashes, and begins with a letter; "+
			"its address goes into a CHASSIS_<NAME>_TARGET variable", name)
	}
	if known := a.instance.dialled(name); known != nil {
		return known, nil
	}
	conn, err := a.instance.dial(name)
	if err != nil {
		return nil, fmt.Errorf("chassis: dial %q: %w", name, err)
	}
	return conn, nil
}

// dial is one connection and the setting that says where it goes.
type dial struct {
	name   string
	conn   *grpc.ClientConn
	target settings.Setting
	hard   bool // the service is not ready without it
}

func (i *instance) dialled(name string) *grpc.ClientConn {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, d := range i.dials {
		if d.name == name {
			return d.conn
		}
	}
	return nil
}

// dial is called with the lock of the App held.
func (i *instance) dial(name string) (*grpc.ClientConn, error) {
	target, err := i.dialTarget(name)
	if err != nil {
		return nil, err
	}
	configured := !strings.HasPrefix(target.Value, "xds:") // which brings the configuration of its calls along
	opts, err := i.dialOptions(name, configured)
	if err != nil {
		return nil, err
	}
	to := target.Value
	if peer, ok := i.harness.Peers[name]; ok && target.Origin == settings.FromDefault {
		to, opts = peer.Target, append(opts, peer.Options...)
	}
	if configured {
		opts = append(opts, grpc.WithDisableServiceConfig())
	}
	conn, err := grpc.NewClient(to, opts...)
	if err != nil {
		return nil, fmt.Errorf("%s is %q: %w", target.Name, target.Value, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.dials = append(i.dials, dial{name: name, conn: conn, target: target})
	return conn, nil
}

// dialTarget returns where a service is.
func (i *instance) dialTarget(name string) (settings.Setting, error) {
	variable := "CHASSIS_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_TARGET"
	fallback := "dns:///" + name + ":9000"
	s := settings.Setting{
		Name: variable, Value: fallback, Default: fallback, Origin: settings.FromDefault, Type: "string",
		Help: "Where calls of " + name + " go: any target of gRPC.",
	}
	if value := i.getenv(variable); value != "" {
		s.Value, s.Origin = value, settings.FromEnvironment
	}
	// gRPC takes a scheme that it does not know for a part of a host's name.
	scheme, rest, _ := strings.Cut(s.Value, ":")
	if !strings.HasPrefix(rest, "/") || resolver.Get(scheme) != nil {
		return s, nil
	}
	hint := "the schemes are those of gRPC, such as dns, unix and passthrough, and what the program registers"
	if scheme == "xds" {
		hint = `import _ "google.golang.org/grpc/xds" in the program`
	}
	return s, fmt.Errorf("%s is %q, but nothing in the binary resolves %s: %s", variable, s.Value, scheme, hint)
}

// dialOptions returns what every connection to a service has. Configured says that the service config is the chassis's.
func (i *instance) dialOptions(name string, configured bool) ([]grpc.DialOption, error) {
	creds, err := i.dialCredentials(name)
	if err != nil {
		return nil, err
	}
	pass, err := i.clientPass()
	if err != nil {
		return nil, err
	}
	peer, err := balance.NewPeer(balance.Options{Peer: name, Methods: i.linked, Logger: i.log, Registerer: i.telemetry.Registry()})
	if err != nil {
		return nil, err
	}
	delays, c := backoff.DefaultConfig, &i.cfg
	delays.MaxDelay = reconnectDelay
	opts := append(pass.DialOptions(name, configured),
		grpc.WithTransportCredentials(peer.Credentials(creds)),
		grpc.WithDefaultServiceConfig(i.serviceConfig),
		grpc.WithNoProxy(),            // HTTPS_PROXY is for third parties; a proxy would resolve the target, and nothing be balanced
		grpc.WithDisableHealthCheck(), // a server that is not ready says so to its orchestrator, and sends GOAWAY when it leaves
		grpc.WithUserAgent(i.userAgent()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: delays, MinConnectTimeout: c.ConnectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: max(c.KeepaliveTime, c.KeepaliveMinTime, leastKeepalive), Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
	)
	if !configured { // the service config says the same for three objects less a call
		opts = append(opts, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(c.MaxMessageBytes), grpc.MaxCallSendMsgSize(c.MaxMessageBytes)))
	}
	return opts, nil
}

// dialCredentials take no other server than the service of that name.
func (i *instance) dialCredentials(name string) (credentials.TransportCredentials, error) {
	if i.source == nil {
		return insecure.NewCredentials(), nil
	}
	own, err := i.source.Identity()
	if err != nil {
		return nil, err
	}
	want, err := spiffeid.FromSegments(own.ID.TrustDomain(), name)
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(mtls.ClientTLS(i.source, func(got spiffeid.ID) error {
		if got != want {
			return fmt.Errorf("chassis: the server is %q, expected %q", got, want)
		}
		return nil
	})), nil
}

// clientPass returns the client's side of the chain, and makes it, and what the contracts of all linked services say, when
// it is first asked for. It is called with the lock of the App held.
func (i *instance) clientPass() (*middleware.Client, error) {
	if i.client != nil {
		return i.client, nil
	}
	methods := contract.Linked(contract.Defaults{Timeout: i.cfg.CallTimeout}, func(service string, err error) {
		i.log.Warn("contract is not used for calls", "service", service, "error", err.Error())
	})
	config, err := serviceConfig(methods, i.cfg.MaxMessageBytes)
	if err != nil {
		return nil, err
	}
	t, fields := i.telemetry, i.telemetry.Propagator().Fields()
	i.serviceConfig, i.linked = config, methods
	i.client, err = middleware.NewClient(middleware.ClientConfig{
		Logger: i.log, Tracer: i.tracer(t), Sampled: t.Sampled, Methods: methods, Registerer: t.Registry(),
		IgnoreTraceContext: !slices.Contains(fields, "traceparent"), IgnoreBaggage: !slices.Contains(fields, "baggage"),
		Decode: decodedError,
	})
	return i.client, err
}

// decodedError makes an [Error] of what a call came back with, where it is a status.
func decodedError(err error) error {
	decoded, ok := ErrorOf(err)
	if !ok {
		return err
	}
	if own := (*Error)(nil); errors.As(err, &own) && own == decoded {
		return decoded // of an interceptor of the service
	}
	decoded.received, decoded.came = true, decoded.Message
	return decoded
}

// userAgent is "service/version paddock", before which nothing and after which gRPC puts its own.
func (i *instance) userAgent() string {
	name := i.service.Name
	if version := i.build().version; version != "" {
		name += "/" + version
	}
	return name + " paddock"
}

// closeDials ends the connections to other services. Calls and workers have ended.
func (i *instance) closeDials() error {
	i.mu.Lock()
	dials := i.dials
	i.mu.Unlock()
	var errs []error
	for _, d := range dials {
		if err := d.conn.Close(); err != nil && !errors.Is(err, grpc.ErrClientConnClosing) { //nolint:staticcheck // what a second Close returns
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

var targetVariable = regexp.MustCompile(`^CHASSIS_([A-Z][A-Z0-9_]*)_TARGET=`)

// withoutTargets leaves out of environ the variables of services to dial: which there are is known when Setup is over.
func withoutTargets(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), targetVariable.MatchString)
}

// checkTargets tells of targets that no Dial has asked for. They end no start: a manifest may be ahead of its program.
func (i *instance) checkTargets() {
	known := make([]string, 0, len(i.dials))
	for _, d := range i.dials {
		known = append(known, d.target.Name)
	}
	for _, variable := range i.environ() {
		name, _, _ := strings.Cut(variable, "=")
		if targetVariable.MatchString(variable) && !slices.Contains(known, name) {
			i.log.Warn("target of a service that is not dialled", "setting", name, "error", unusedTarget(name, known))
		}
	}
}

func ownPart(variable string) string {
	return strings.TrimSuffix(strings.TrimPrefix(variable, "CHASSIS_"), "_TARGET")
}

// unusedTarget says what is wrong with a target's variable, given those that are used.
func unusedTarget(name string, known []string) string {
	text := name + " has no effect: Setup makes no client of a service of this name by App.Dial"
	own := make([]string, len(known)) // the part that differs, else all of them are near
	for n, variable := range known {
		own[n] = ownPart(variable)
	}
	if meant := settings.Nearest(ownPart(name), own); meant != "" {
		return text + ": did you mean CHASSIS_" + meant + "_TARGET?"
	}
	if len(known) == 0 {
		return text + ", and of no other: remove it"
	}
	slices.Sort(known)
	return text + "; those of the services that it calls are " + strings.Join(slices.Compact(known), ", ")
}
