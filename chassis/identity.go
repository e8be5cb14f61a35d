package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/betmakers/paddock/chassis/mtls"
)

// identity is the identity of the service and its trust in others. The fields that open sets may
// be read when it has returned. close may be called at any time.
type identity struct {
	source      mtls.Source // nil where mutual TLS is off
	clientFiles *[3]string  // CA, certificate and key for a person's tools, in development

	mu          sync.Mutex
	closed      bool
	closeSource func() error // nil where nothing is to be closed
}

// identityNeeds are the parameters of open.
type identityNeeds struct {
	service  string
	cfg      *configuration
	around   *surroundings
	log      *slog.Logger
	registry prometheus.Registerer
}

// open gets the certificate and trust of the settings, and returns the identity that they prove.
// It returns nil if mutual TLS is off.
func (d *identity) open(ctx context.Context, needs identityNeeds) (*mtls.Identity, error) {
	if d.source = needs.around.Source; d.source == nil {
		if err := d.openSource(ctx, needs); err != nil {
			return nil, err
		}
	}
	if d.source == nil {
		return nil, nil //nolint:nilnil // mutual TLS is off
	}
	own, err := d.source.Identity()
	if err != nil {
		return nil, err
	}
	return own, checkIdentity(own, needs)
}

// checkIdentity rejects an identity that peers would not accept, and one of a development
// authority in production.
func checkIdentity(own *mtls.Identity, needs identityNeeds) error {
	if own.ID.IsZero() {
		return errors.New("the certificate has no SPIFFE ID, so other services cannot identify this one: " +
			"issue it with spiffe://TRUST-DOMAIN/" + needs.service + " as its URI name")
	}
	if !needs.cfg.development() && own.ID.TrustDomain().Name() == mtls.DevelopmentTrustDomain {
		return fmt.Errorf("the certificate of %s is from a development authority, which production does not accept. "+
			"%sUse a certificate from the authority of your environment. On your own machine, set CHASSIS_ENVIRONMENT=development", own.ID, needs.cfg.whyProduction())
	}
	return nil
}

// openSource opens the source of the settings.
func (d *identity) openSource(ctx context.Context, needs identityNeeds) error {
	cfg, log, registry := needs.cfg, needs.log, needs.registry
	socket := needs.around.getenv("SPIFFE_ENDPOINT_SOCKET")
	from := cfg.source(socket)
	if cfg.TLSCRLFile != "" && from != mtlsFiles {
		return fmt.Errorf("CHASSIS_TLS_CRL_FILE is set, but certificates come from %q, and revocation lists work only with certificates from files: "+
			"unset it, or set CHASSIS_MTLS=files", from)
	}
	switch from {
	case mtlsOff:
		return nil
	case mtlsSPIFFE:
		if socket == "" {
			return errors.New("CHASSIS_MTLS is spiffe, but SPIFFE_ENDPOINT_SOCKET is not set: set it to the address of the Workload API, such as unix:///run/spire/agent.sock")
		}
		s, err := mtls.SPIFFE(ctx, mtls.SPIFFEConfig{Addr: socket, Logger: log, Registerer: registry})
		return d.use(s, err)
	case mtlsFiles:
		if err := cfg.checkFiles(); err != nil {
			return err
		}
		s, err := mtls.Files(ctx, mtls.FilesConfig{
			CertFile: cfg.TLSCertFile, KeyFile: cfg.TLSKeyFile, CAFile: cfg.TLSCAFile, CRLFile: cfg.TLSCRLFile,
			Logger: log, Registerer: registry,
		})
		return d.use(s, err)
	}
	if !cfg.development() {
		return errors.New("no certificates are set, and production does not use the development authority. " + cfg.whyProduction() +
			"Set CHASSIS_TLS_CERT_FILE, CHASSIS_TLS_KEY_FILE and CHASSIS_TLS_CA_FILE, or SPIFFE_ENDPOINT_SOCKET. " +
			"On your own machine, set CHASSIS_ENVIRONMENT=development")
	}
	s, err := mtls.Development(ctx, mtls.DevelopmentConfig{Service: needs.service, Logger: log, Registerer: registry})
	if err == nil {
		ca, cert, key := s.ClientFiles()
		d.clientFiles = &[3]string{ca, cert, key}
	}
	return d.use(s, err)
}

// use takes ownership of an opened source. After close, it closes the source.
func (d *identity) use(s interface {
	mtls.Source
	Close() error
}, err error) error {
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errors.Join(errors.New("the service has stopped"), s.Close())
	}
	d.source, d.closeSource = s, s.Close
	return nil
}

// close closes the source, also one that is still being opened.
func (d *identity) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.closeSource == nil {
		return nil
	}
	return d.closeSource()
}

// own returns the current identity, nil if there is none.
func (d *identity) own() *mtls.Identity {
	if d.source == nil {
		return nil
	}
	own, err := d.source.Identity()
	if err != nil {
		return nil
	}
	return own
}

// dialCredentials accept only the service of that name as the server.
func (d *identity) dialCredentials(name string) (credentials.TransportCredentials, error) {
	if d.source == nil {
		return insecure.NewCredentials(), nil
	}
	own, err := d.source.Identity()
	if err != nil {
		return nil, err
	}
	want, err := spiffeid.FromSegments(own.ID.TrustDomain(), name)
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(mtls.ClientTLS(d.source, func(got spiffeid.ID) error {
		if got != want {
			return fmt.Errorf("chassis: the server is %q, expected %q", got, want)
		}
		return nil
	})), nil
}

// itself accepts only the identity of this service.
func (d *identity) itself(other spiffeid.ID) error {
	own, err := d.source.Identity()
	if err == nil && other != own.ID {
		err = fmt.Errorf("chassis: the other instance is %q, expected %q", other, own.ID)
	}
	return err
}
