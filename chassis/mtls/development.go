package mtls

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// DevelopmentTrustDomain is the trust domain of every identity of [Development]. Production
// rejects it.
const DevelopmentTrustDomain = "development.paddock.internal"

// DevelopmentConfig configures [Development].
type DevelopmentConfig struct {
	// Service is the name of the service, the path of its SPIFFE ID. Required.
	Service string
	// Dir is the folder of the authority. Services that share it trust each other. Default:
	// paddock/ca under $XDG_STATE_HOME, or under ~/.local/state.
	Dir string
	// Logger logs renewals, Registerer registers their metrics. Both may be nil.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DevelopmentSource is a [Source] of certificates from an authority on this machine. Make one
// with [Development].
type DevelopmentSource struct {
	inForce
	service   string
	store     *store
	authority *authority
	renewAt   time.Time

	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
}

// maintenance is the interval at which the source checks whether a renewal is due. A short tick
// is used because timers stop while a laptop sleeps, and because another service may have made a
// new authority.
const maintenance = 10 * time.Second

// Development returns a source whose certificate comes from an authority on this machine, shared
// by all services of the user. It renews until ctx ends or Close is called.
//
//   - The first service to start makes the authority, with a key that only the user can read. If
//     it is deleted or near its end, a new one is made.
//   - The certificate is for spiffe://development.paddock.internal/<Service>, localhost,
//     <Service>, 127.0.0.1 and ::1. It is valid for one hour and is renewed after two thirds of
//     that.
//   - A second certificate is for the developer's own clients; see
//     [DevelopmentSource.ClientFiles].
//
// Development fails, with an error that says what to delete, if the authority on disk is damaged
// or other users could have changed it, if it or its folder belongs to another user, or if one of
// its files is a link.
func Development(ctx context.Context, cfg DevelopmentConfig) (*DevelopmentSource, error) {
	dir, err := developmentDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &DevelopmentSource{service: cfg.Service, store: &store{dir: dir, logger: orDiscard(cfg.Logger)}}
	identity, err := s.issue(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.start(identity, cfg.Logger, cfg.Registerer); err != nil {
		return nil, err
	}
	ctx, s.cancel = context.WithCancel(ctx)
	s.running.Go(func() { s.maintain(ctx) })
	return s, nil
}

func developmentDir(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	// The XDG specification requires that relative paths are ignored.
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "paddock", "ca"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("mtls: no folder for the development authority: set HOME or XDG_STATE_HOME: %w", err)
	}
	return filepath.Join(home, ".local", "state", "paddock", "ca"), nil
}

// ClientFiles returns the paths of the trusted roots and of a client certificate with its key,
// for tools such as grpcurl and curl. Its identity is
// spiffe://development.paddock.internal/developer. It is valid while any service with this
// authority runs.
func (s *DevelopmentSource) ClientFiles() (ca, cert, key string) {
	return s.store.path(rootsFile), s.store.path(clientCertFile), s.store.path(clientKeyFile)
}

// Close ends the renewals and waits for the end of a running one. The last identity stays
// available. Further calls do nothing. The error is always nil.
func (s *DevelopmentSource) Close() error {
	s.closing.Do(func() {
		s.cancel()
		s.running.Wait()
		s.stop()
	})
	return nil
}

func (s *DevelopmentSource) maintain(ctx context.Context) {
	ticker := time.NewTicker(maintenance)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !s.due(time.Now()) {
			s.restored()
			continue
		}
		identity, err := s.issue(ctx)
		switch {
		case err == nil:
			s.replace(identity)
		case ctx.Err() == nil:
			s.refuse(err.Error(), err)
		}
	}
}

// due reports whether the service's certificate should be renewed, or the files have changed.
func (s *DevelopmentSource) due(now time.Time) bool {
	if now.After(s.renewAt) || s.store.clientDue(now) {
		return true
	}
	onDisk, err := readPlain(s.store.path(authorityFile))
	return err != nil || !bytes.Equal(onDisk, s.authority.pem)
}

// issue ensures that authority and client certificate are on disk, and mints a new certificate
// for the service.
func (s *DevelopmentSource) issue(ctx context.Context) (*Identity, error) {
	id, err := developmentID(s.service)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	authority, err := s.store.open(ctx, now)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	cert, err := authority.issue(key, id, []string{"localhost", s.service}, now)
	if err != nil {
		return nil, err
	}
	identity, err := NewIdentity(cert, []*x509.Certificate{authority.cert})
	if err != nil {
		return nil, err
	}
	s.authority, s.renewAt = authority, renewalOf(identity.Certificate.Leaf)
	return identity, nil
}

func developmentID(name string) (spiffeid.ID, error) {
	if name == "" {
		return spiffeid.ID{}, errors.New("mtls: the development certificate needs the name of the service")
	}
	domain, err := spiffeid.TrustDomainFromString(DevelopmentTrustDomain)
	if err != nil {
		return spiffeid.ID{}, err
	}
	id, err := spiffeid.FromSegments(domain, name)
	if err != nil {
		return spiffeid.ID{}, fmt.Errorf("mtls: service name %q cannot be part of an identity, use letters, digits, '-', '_' and '.': %w", name, err)
	}
	return id, nil
}
