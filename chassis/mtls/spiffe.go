package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// SPIFFEConfig configures [SPIFFE].
type SPIFFEConfig struct {
	// Addr is the address of the Workload API, in the form of SPIFFE_ENDPOINT_SOCKET:
	// unix:///run/spire/agent.sock, or tcp:// with an IP address and port. Required.
	Addr string
	// StartTimeout bounds the wait for the first identity. Zero or less means 10 s.
	StartTimeout time.Duration
	// Logger logs rotations, Registerer registers their metrics. Both may be nil.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// SPIFFESource is a [Source] of the identities that a Workload API delivers. Make one with
// [SPIFFE].
type SPIFFESource struct {
	inForce
	client *workloadapi.Client

	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
}

// SPIFFE returns a source of the workload's default X509-SVID, the bundle of its trust domain,
// and the bundles of federated domains. It waits for the first answer of the Workload API, for at
// most StartTimeout, and returns the reason if none arrives. It follows the API until ctx ends or
// Close is called.
//
// While the API is unavailable, its last answer stays in force. An unusable answer changes
// nothing and is reported once. If there are several SVIDs, the one with the service's first ID
// is used. An answer without that ID is unusable.
func SPIFFE(ctx context.Context, cfg SPIFFEConfig) (*SPIFFESource, error) {
	if cfg.StartTimeout <= 0 {
		cfg.StartTimeout = 10 * time.Second
	}
	// With an empty address the library would read the environment, which is the caller's
	// decision.
	if cfg.Addr == "" {
		return nil, errors.New("mtls: no address of the SPIFFE Workload API, expected one such as unix:///run/spire/agent.sock")
	}
	if err := workloadapi.ValidateAddress(cfg.Addr); err != nil {
		return nil, fmt.Errorf("mtls: address %q of the SPIFFE Workload API is not of the form unix:///path/to.sock: %w", cfg.Addr, err)
	}
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(cfg.Addr), workloadapi.WithBackoffStrategy(reconnect{}))
	if err != nil {
		return nil, fmt.Errorf("mtls: SPIFFE Workload API at %s: %w", cfg.Addr, err)
	}
	s := &SPIFFESource{client: client}
	ctx, s.cancel = context.WithCancel(ctx)
	updates := make(chan update)
	s.running.Go(func() { watch(ctx, client, updates, s.current.Load) })

	first, err := s.first(ctx, updates, cfg.StartTimeout)
	if err == nil {
		err = s.start(first, cfg.Logger, cfg.Registerer)
	}
	if err != nil {
		s.cancel()
		s.running.Wait()
		return nil, fmt.Errorf("mtls: SPIFFE Workload API at %s: %w", cfg.Addr, errors.Join(err, client.Close()))
	}
	s.running.Go(func() { s.follow(ctx, updates) })
	return s, nil
}

// Close stops following the Workload API, waits for the end of that, and returns the error of
// closing the connection. The last identity stays available. Further calls do nothing.
func (s *SPIFFESource) Close() (err error) {
	s.closing.Do(func() {
		s.cancel()
		s.running.Wait()
		s.stop()
		err = s.client.Close()
	})
	return err
}

// first waits for an identity. Its error includes the last failure.
func (s *SPIFFESource) first(ctx context.Context, updates <-chan update, timeout time.Duration) (*Identity, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	last := errors.New("no answer")
	for {
		select {
		case u := <-updates:
			if u.err == nil {
				return u.identity, nil
			}
			last = u.err
		case <-timer.C:
			return nil, fmt.Errorf("no identity within %v; is the agent running, and is this workload registered with it? %w", timeout, last)
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), last)
		}
	}
}

func (s *SPIFFESource) follow(ctx context.Context, updates <-chan update) {
	away := false
	for {
		var u update
		select {
		case <-ctx.Done():
			return
		case u = <-updates:
		}
		switch {
		case u.err == nil && u.identity.equal(s.current.Load()):
			s.restored()
		case u.err == nil:
			s.replace(u.identity)
		case u.away && !away:
			s.logger.Warn("SPIFFE Workload API gives no certificates, the last ones stay in force", "error", u.err)
		case !u.away:
			s.refuse(u.err.Error(), u.err)
		}
		away = u.away
	}
}

// update is one message from the Workload API.
type update struct {
	identity *Identity
	err      error
	away     bool // err is about the connection, not about what was delivered
}

// watch sends the messages of the Workload API until ctx ends. It restarts go-spiffe's watch,
// which ends for good when the agent answers CANCELED, as during its restart, or
// INVALID_ARGUMENT. For this reason go-spiffe's own X509Source is not used; it also reports
// neither errors nor the federated domains.
func watch(ctx context.Context, client *workloadapi.Client, updates chan<- update, started func() *Identity) {
	for ctx.Err() == nil {
		_ = client.WatchX509Context(ctx, relay{ctx.Done(), updates, started}) // the relay has sent the error
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// relay is the watcher that go-spiffe calls, from a single goroutine.
type relay struct {
	done    <-chan struct{}
	updates chan<- update
	started func() *Identity // what is in force, nil before the start
}

// choose returns the SVID with the ID that the service has started with, if it is among several,
// else the default SVID.
func (r relay) choose(x *workloadapi.X509Context) *x509svid.SVID {
	if own := r.started(); own != nil {
		for _, svid := range x.SVIDs {
			if svid.ID == own.ID {
				return svid
			}
		}
	}
	return x.DefaultSVID()
}

func (r relay) OnX509ContextUpdate(x *workloadapi.X509Context) {
	identity, err := spiffeIdentity(r.choose(x), x.Bundles)
	r.send(update{identity: identity, err: err})
}

func (r relay) OnX509ContextWatchError(err error) {
	// Errors of go-spiffe's parser have no status. Those of the connection and the agent have
	// one.
	r.send(update{err: err, away: status.Code(err) != codes.Unknown})
}

func (r relay) send(u update) {
	select {
	case r.updates <- u:
	case <-r.done:
	}
}

func spiffeIdentity(svid *x509svid.SVID, bundles *x509bundle.Set) (*Identity, error) {
	cert := tls.Certificate{PrivateKey: svid.PrivateKey, Leaf: svid.Certificates[0]}
	for _, c := range svid.Certificates {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	domains := map[spiffeid.TrustDomain][]*x509.Certificate{}
	var all []*x509.Certificate
	for _, bundle := range bundles.Bundles() {
		domains[bundle.TrustDomain()] = bundle.X509Authorities()
		all = append(all, bundle.X509Authorities()...)
	}
	if len(domains[svid.ID.TrustDomain()]) == 0 {
		return nil, fmt.Errorf("mtls: no trusted roots delivered for the own trust domain %q", svid.ID.TrustDomain().Name())
	}
	identity, err := NewIdentity(cert, all)
	if err != nil {
		return nil, err
	}
	identity.domains = domains
	err = identity.current(time.Now())
	return identity, err
}

// reconnect waits 100 ms, then twice as long each time up to 5 s. The socket is on the same
// machine, and a service that starts before its agent should not wait much longer than the agent
// needs.
type reconnect struct{}

func (reconnect) NewBackoff() workloadapi.Backoff { return &doubling{} }

type doubling struct{ last time.Duration }

func (d *doubling) Next() time.Duration {
	d.last = min(max(2*d.last, 100*time.Millisecond), 5*time.Second)
	return d.last
}

func (d *doubling) Reset() { d.last = 0 }
