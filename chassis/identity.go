package chassis

import (
	"context"
	"errors"
	"fmt"

	"github.com/betmakers/paddock/chassis/mtls"
)

// startIdentity gets the certificate and the trust that the settings name.
func (i *instance) startIdentity(ctx context.Context) (string, error) {
	if i.around.Source != nil {
		i.source = i.around.Source
		return i.identityText()
	}
	if err := i.openSource(ctx); err != nil {
		return "", err
	}
	return i.identityText()
}

func (i *instance) identityText() (string, error) {
	if i.source == nil {
		return "none: CHASSIS_MTLS=off", nil
	}
	own, err := i.source.Identity()
	if err != nil {
		return "", err
	}
	if own.ID.IsZero() {
		return "", errors.New("the certificate has no SPIFFE ID, by which callers are known: " +
			"have it issued with the URI spiffe://TRUST-DOMAIN/" + i.service.Name + " among its alternative names")
	}
	i.chain.SetTrustDomain(own.ID.TrustDomain().Name())
	if !i.cfg.development() && own.ID.TrustDomain().Name() == mtls.DevelopmentTrustDomain {
		return "", fmt.Errorf("the certificate of %s comes from a development authority, which production does not start on. "+
			"%sGet one from the authority of the environment. On a machine of your own, CHASSIS_ENVIRONMENT=development", own.ID, i.cfg.whyProduction())
	}
	return own.ID.String(), nil
}

func (i *instance) openSource(ctx context.Context) error {
	registry := i.telemetry.Registry()
	socket := i.around.getenv("SPIFFE_ENDPOINT_SOCKET")
	from := i.cfg.source(socket)
	if i.cfg.TLSCRLFile != "" && from != mtlsFiles {
		return fmt.Errorf("CHASSIS_TLS_CRL_FILE is set, but certificates come from %q: revocation lists go with certificates from files alone. "+
			"Unset it, or set CHASSIS_MTLS=files", from)
	}
	switch from {
	case mtlsOff:
		return nil
	case mtlsSPIFFE:
		if socket == "" {
			return errors.New("CHASSIS_MTLS is spiffe, but SPIFFE_ENDPOINT_SOCKET is not set: set it to the address of the Workload API, such as unix:///run/spire/agent.sock")
		}
		s, err := mtls.SPIFFE(ctx, mtls.SPIFFEConfig{Addr: socket, Logger: i.log, Registerer: registry})
		return i.use(s, err)
	case mtlsFiles:
		if err := i.cfg.checkFiles(); err != nil {
			return err
		}
		s, err := mtls.Files(ctx, mtls.FilesConfig{
			CertFile: i.cfg.TLSCertFile, KeyFile: i.cfg.TLSKeyFile, CAFile: i.cfg.TLSCAFile, CRLFile: i.cfg.TLSCRLFile,
			Logger: i.log, Registerer: registry,
		})
		return i.use(s, err)
	}
	if !i.cfg.development() {
		return errors.New("no certificates: production does not start on the development authority. " + i.cfg.whyProduction() +
			"Set CHASSIS_TLS_CERT_FILE, CHASSIS_TLS_KEY_FILE and CHASSIS_TLS_CA_FILE, or SPIFFE_ENDPOINT_SOCKET. " +
			"On a machine of your own, CHASSIS_ENVIRONMENT=development")
	}
	s, err := mtls.Development(ctx, mtls.DevelopmentConfig{Service: i.service.Name, Logger: i.log, Registerer: registry})
	if err == nil {
		ca, cert, key := s.ClientFiles()
		i.clientFiles = &[3]string{ca, cert, key}
	}
	return i.use(s, err)
}

// use takes over an opened source.
func (i *instance) use(s interface {
	mtls.Source
	Close() error
}, err error) error {
	if err != nil {
		return err
	}
	i.source, i.closeSource = s, s.Close
	return nil
}
