package chassis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/fault"
)

// setFaults puts the faults of the settings in force, now that the methods are known.
func (i *instance) setFaults(ctx context.Context) error {
	rules, err := fault.Parse(i.cfg.Faults, false)
	if err != nil || len(rules) == 0 {
		return err
	}
	if err := i.faults.Add(ctx, rules, "CHASSIS_FAULTS"); err != nil {
		return fmt.Errorf("CHASSIS_FAULTS: %w", err)
	}
	return nil
}

// mayChange decides who may set faults and the log level at run time. In production being on the same machine is not
// enough: it proves nobody.
func (i *instance) mayChange() func(*http.Request) error {
	if i.cfg.development() {
		return func(*http.Request) error { return nil }
	}
	allowed := i.allowDebug()
	return func(r *http.Request) error {
		if allowed != nil && allowed(r) {
			return nil
		}
		return errors.New("in production faults and the log level are set by an identity alone: set CHASSIS_ADMIN_TLS=true, " +
			"name the identity in CHASSIS_DEBUG_CALLERS, and call this port with its certificate")
	}
}

func (i *instance) faultsShown() []admin.Fault {
	var shown []admin.Fault
	for _, f := range i.faults.Active() {
		var until time.Time
		if f.Until != nil {
			until = *f.Until
		}
		shown = append(shown, admin.Fault{ID: f.ID, Rule: f.Text, By: f.By, Until: until})
	}
	return shown
}

// plaintext is no TLS at all, with connections that an injected fault can cut, as those of mtls can be.
func plaintext() credentials.TransportCredentials { return cuttable{insecure.NewCredentials()} }

type cuttable struct {
	credentials.TransportCredentials
}

func (c cuttable) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	return conn, plainInfo{info, raw}, err
}

func (c cuttable) Clone() credentials.TransportCredentials {
	return cuttable{c.TransportCredentials.Clone()}
}

// plainInfo is what gRPC keeps about a connection without TLS, and the connection.
type plainInfo struct {
	credentials.AuthInfo
	raw net.Conn
}

// GetCommonAuthInfo tells gRPC that nothing is secured.
func (plainInfo) GetCommonAuthInfo() credentials.CommonAuthInfo {
	return credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}
}

// Cut breaks the connection.
func (p plainInfo) Cut() { fault.Cut(p.raw) }
