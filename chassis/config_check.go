package chassis

import (
	"errors"
	"fmt"

	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/internal/fault"
)

// validateAuditLog rejects settings that would lose records against their promise, or keep none.
func (c *Config) validateAuditLog() (errs []error) {
	if c.AuditLogMode == auditRefuse && c.AuditLog != string(audit.All) {
		errs = append(errs, fmt.Errorf("CHASSIS_AUDIT_LOG_MODE is %s, but CHASSIS_AUDIT_LOG is %q, "+
			"so the calls that run have no record to wait for: set CHASSIS_AUDIT_LOG=%s", auditRefuse, c.AuditLog, audit.All))
	}
	if c.AuditLogFile != "" && c.AuditLog == string(audit.Off) {
		errs = append(errs, fmt.Errorf("CHASSIS_AUDIT_LOG_FILE is set, but CHASSIS_AUDIT_LOG is off: set CHASSIS_AUDIT_LOG=%s or %s", audit.All, audit.Denied))
	}
	return errs
}

// validateFaults rejects faults at the start of a service in production, where there would be no
// record of their author and end.
func (c *Config) validateFaults() (errs []error) {
	if _, err := fault.Parse(c.Faults, false); err != nil {
		errs = append(errs, fmt.Errorf("CHASSIS_FAULTS: %w", err))
	}
	if c.Faults != "" && c.Environment == production {
		errs = append(errs, errors.New("CHASSIS_FAULTS is set, but production does not start with faults: unset it. "+
			"A caller in CHASSIS_DEBUG_CALLERS can set faults at /debug/faults, for up to an hour"))
	}
	return errs
}

// checkFiles returns an error with each of the three files that is not set.
func (c *Config) checkFiles() error {
	var errs []error
	for _, f := range [...]struct{ name, value string }{
		{"CHASSIS_TLS_CERT_FILE", c.TLSCertFile}, {"CHASSIS_TLS_KEY_FILE", c.TLSKeyFile}, {"CHASSIS_TLS_CA_FILE", c.TLSCAFile},
	} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("%s is not set: certificates from files need a certificate, a key and an authority file", f.name))
		}
	}
	return errors.Join(errs...)
}

// reachable returns the first address setting that other machines may reach, empty if there is
// none.
func (c *Config) reachable() string {
	for n, addr := range [...]string{c.GRPCAddr, c.HTTPAddr, c.AdminAddr} {
		if !onLoopback(addr) {
			return addressSettings[n]
		}
	}
	return ""
}
