package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"

	"github.com/betmakers/paddock/chassis/internal/neighbours"
	"github.com/betmakers/paddock/internal/balance"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/settings"
)

// reconnectDelay bounds the pause between attempts to connect. With gRPC's own bound of two
// minutes, a service that is back would get no calls for that long.
const reconnectDelay = 10 * time.Second

// Dial returns the connection to another service, by its name. It does not connect: the first
// call does.
//
//	conn, err := app.Dial(ctx, "wallet")
//
// The connection has these properties:
//
//   - The target is CHASSIS_<NAME>_TARGET, any target of gRPC; by default dns:///<name>:9000.
//     Calls are spread over all its addresses. HTTPS_PROXY is ignored; it applies to
//     [App.HTTPClient].
//   - This service proves its identity, and accepts only a server with the identity spiffe://<own
//     trust domain>/<name>, unless CHASSIS_MTLS is off.
//   - Calls are traced and measured, and fail with [Error] values.
//   - A call has the deadline of its contract unless the caller's is earlier. Within a call that
//     is being served, it has the time that call has left, less a small reserve. A call that
//     cannot finish in it fails without being sent.
//   - A call is retried, within a budget, if its contract allows it and the service was
//     unavailable.
//   - The state of the connection is a health check under the name of the service. It is reported
//     and does not affect readiness; see [App.DialRequired].
//
// There is one connection for each service, however often Dial is called. The chassis closes it
// when calls and workers have ended. If ctx has ended, Dial returns its cause; ctx does not bound
// the life of the connection. A malformed name or target is an error. After Setup it panics.
func (a *App) Dial(ctx context.Context, name string) (*grpc.ClientConn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("chassis: dial %q: %w", name, err)
	}
	if err := a.late("Dial"); err != nil {
		return nil, err
	}
	a.something = true
	if !serviceName.MatchString(name) {
		return nil, fmt.Errorf("chassis: dial %q: the name must begin with a letter and have at most 63 lower-case letters, digits and dashes; "+
			"an address belongs in the setting CHASSIS_<NAME>_TARGET", name)
	}
	conn, err := a.instance.dialer.connTo(name)
	if err != nil {
		return nil, fmt.Errorf("chassis: dial %q: %w", name, err)
	}
	return conn, nil
}

// DialRequired is [App.Dial] for a service without which this one cannot work. It starts to
// connect at once, and this service is not ready before it is connected.
//
// If the connection is lost later, this instance becomes unready only while at least half of the
// usual number of instances are ready without it. Otherwise it stays ready and reports that it
// fails open, because leaving would make things worse. CHASSIS_FLEET_HOST resolves to the other
// instances; if they are not known, this instance stays ready.
//
// Services must not require each other in a circle: none of them would become ready.
func (a *App) DialRequired(ctx context.Context, name string) (*grpc.ClientConn, error) {
	conn, err := a.Dial(ctx, name)
	if err == nil {
		a.instance.dialer.require(name)
	}
	return conn, err
}

// dial is one connection and the setting of its target.
const defaultGRPCPort = "9000"

type dial struct {
	name   string
	conn   *grpc.ClientConn
	target settings.Setting
	hard   bool // the service is not ready without it
	peer   *balance.Peer
}

// dialer makes the connections to other services, keeps them and closes them. Its methods may be
// called concurrently.
type dialer struct {
	service   string
	userAgent string
	cfg       *configuration
	around    *surroundings
	identity  *identity
	log       *slog.Logger
	registry  prometheus.Registerer
	client    *clientSide

	mu    sync.Mutex
	dials []dial
}

// connTo returns the connection to a service, and makes it at the first call.
func (d *dialer) connTo(name string) (*grpc.ClientConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, known := range d.dials {
		if known.name == name {
			return known.conn, nil
		}
	}
	made, err := d.dial(name)
	if err != nil {
		return nil, err
	}
	d.dials = append(d.dials, made)
	return made.conn, nil
}

// require makes readiness depend on a service that was dialled.
func (d *dialer) require(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := range d.dials {
		if d.dials[n].name == name {
			d.dials[n].hard = true
		}
	}
}

// made returns the connections made so far.
func (d *dialer) made() []dial {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.dials)
}

// targets returns the settings of the connections' targets.
func (d *dialer) targets() []settings.Setting {
	made := d.made()
	known := make([]settings.Setting, 0, len(made))
	for _, conn := range made {
		known = append(known, conn.target)
	}
	return known
}

func (d *dialer) dial(name string) (dial, error) {
	target, err := d.target(name)
	if err != nil {
		return dial{}, err
	}
	configured := !strings.HasPrefix(target.Value, "xds:") // xds brings its own service config
	opts, balanced, err := d.options(name, configured)
	if err != nil {
		return dial{}, err
	}
	to := target.Value
	peer, replaced := d.around.Peers[name]
	switch {
	case target.Origin != settings.FromDefault:
	case replaced:
		to, opts = peer.Target, append(opts, peer.Options...)
	case d.cfg.development() && !d.around.replaced():
		to, opts = neighbours.Scheme+":///"+name, append(opts, grpc.WithResolvers(&neighbours.Builder{
			Folder: neighbours.DefaultFolder(d.around.getenv), Port: defaultGRPCPort, LookupHost: d.around.LookupHost,
		}))
	}
	if configured {
		opts = append(opts, grpc.WithDisableServiceConfig())
	}
	conn, err := grpc.NewClient(to, opts...)
	if err != nil {
		return dial{}, fmt.Errorf("%s is %q: %w", target.Name, target.Value, err)
	}
	return dial{name: name, conn: conn, target: target, peer: balanced}, nil
}

// mostFromZero is the number of pairs of a method and a connection whose counters start at zero
// before the first call. With more pairs, most of which are never called, they start with it.
const mostFromZero = 50

// fromZero makes the counters of calls to other services. Any method that is linked into the
// program may be one of a dialled service, but for those that the program serves itself.
func (d *dialer) fromZero(chain *inbound.Server) error {
	made := d.made()
	if len(made) == 0 {
		return nil
	}
	pass, err := d.client.pass()
	if err != nil {
		return err
	}
	served := map[string]bool{}
	for _, m := range chain.Methods() {
		served[m.Name] = true
	}
	callable := slices.DeleteFunc(slices.Clone(pass.methods), func(m *contract.Method) bool { return m.Infrastructure() || served[m.Name] })
	if len(callable)*len(made) > mostFromZero {
		return nil
	}
	for _, one := range made {
		pass.FromZero(one.name, callable)
		one.peer.FromZero(callable)
	}
	return nil
}

// targetName returns the name of the setting that has a service's target.
func targetName(service string) string {
	return "CHASSIS_" + strings.ToUpper(strings.ReplaceAll(service, "-", "_")) + "_TARGET"
}

// target returns the setting of a service's target.
func (d *dialer) target(name string) (settings.Setting, error) {
	variable := targetName(name)
	fallback := "dns:///" + name + ":" + defaultGRPCPort
	s := settings.Setting{
		Name: variable, Value: fallback, Default: fallback, Origin: settings.FromDefault, Type: "string",
		Help: "Address of the service " + name + ": any target that gRPC accepts.",
	}
	if value := d.around.getenv(variable); value != "" {
		s.Value, s.Origin = value, settings.FromEnvironment
	}
	// gRPC would treat an unknown scheme as part of a host's name.
	scheme, rest, _ := strings.Cut(s.Value, ":")
	if !strings.HasPrefix(rest, "/") || resolver.Get(scheme) != nil {
		return s, nil
	}
	hint := "use a scheme of gRPC, such as dns, unix or passthrough, or register a resolver"
	if scheme == "xds" {
		hint = `add import _ "google.golang.org/grpc/xds" to the program`
	}
	return s, fmt.Errorf("%s is %q, but the program has no resolver for the scheme %s: %s", variable, s.Value, scheme, hint)
}

// options returns the options of each connection to a service. Configured reports that the
// chassis provides the service config.
func (d *dialer) options(name string, configured bool) ([]grpc.DialOption, *balance.Peer, error) {
	creds, err := d.identity.dialCredentials(name)
	if err != nil {
		return nil, nil, err
	}
	pass, err := d.client.pass()
	if err != nil {
		return nil, nil, err
	}
	peer, err := balance.NewPeer(balance.Options{
		Peer: name, Methods: pass.methods, Logger: d.log, Registerer: d.registry,
		Advice: "start it, or set " + targetName(name),
	})
	if err != nil {
		return nil, nil, err
	}
	delays, c := backoff.DefaultConfig, d.cfg
	delays.MaxDelay = reconnectDelay
	opts := append(pass.DialOptions(name, configured),
		grpc.WithTransportCredentials(peer.Credentials(creds)),
		grpc.WithDefaultServiceConfig(pass.serviceConfig),
		grpc.WithNoProxy(),            // a proxy would resolve the target, so calls could not be balanced
		grpc.WithDisableHealthCheck(), // an unready server informs its orchestrator, and sends GOAWAY when it leaves
		grpc.WithUserAgent(d.userAgent),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: delays, MinConnectTimeout: c.ConnectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: max(c.KeepaliveTime, c.KeepaliveMinTime, leastKeepalive), Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
	)
	if !configured { // else the service config has the limits, which saves three objects a call
		opts = append(opts, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(c.MaxMessageBytes), grpc.MaxCallSendMsgSize(c.MaxMessageBytes)))
	}
	return opts, peer, nil
}

// userAgent returns "service/version paddock". gRPC appends its own name.
func userAgent(service *Service) string {
	name := service.Name
	if version := readBuild(service.Version).version; version != "" {
		name += "/" + version
	}
	return name + " paddock"
}

// close closes the connections to other services. Calls and workers must have ended.
func (d *dialer) close() error {
	var errs []error
	for _, made := range d.made() {
		if err := made.conn.Close(); err != nil && !errors.Is(err, grpc.ErrClientConnClosing) { //nolint:staticcheck // what a second Close returns
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// checkTargets logs targets of services that were not dialled. They are no error: a manifest may
// be newer than its program.
func (d *dialer) checkTargets() {
	var known []string
	for _, s := range d.targets() {
		known = append(known, s.Name)
	}
	for _, variable := range d.around.environ() {
		name, _, _ := strings.Cut(variable, "=")
		if targetVariable.MatchString(variable) && !slices.Contains(known, name) {
			d.log.Warn("target setting of a service that is not dialled", "setting", name, "error", unusedTarget(name, known))
		}
	}
}

func ownPart(variable string) string {
	return strings.TrimSuffix(strings.TrimPrefix(variable, "CHASSIS_"), "_TARGET")
}

// unusedTarget describes the mistake in a target's variable. Known are the variables in use.
func unusedTarget(name string, known []string) string {
	text := name + " has no effect: Setup does not call app.Dial for this service"
	own := make([]string, len(known)) // the part that differs, else all of them are near
	for n, variable := range known {
		own[n] = ownPart(variable)
	}
	if meant := settings.Nearest(ownPart(name), own); meant != "" {
		return text + ": did you mean CHASSIS_" + meant + "_TARGET?"
	}
	if len(known) == 0 {
		return text + ", nor for any other: remove the setting"
	}
	slices.Sort(known)
	return text + "; the settings of the dialled services are " + strings.Join(slices.Compact(known), ", ")
}
