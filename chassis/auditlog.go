package chassis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/telemetry"
)

// openAuditLog starts the audit log, which goes to a file or beside the log to stdout, and its health check.
func (i *instance) openAuditLog(t *telemetry.Telemetry, stdout io.Writer) error {
	if i.cfg.AuditLog == string(audit.Off) {
		return nil
	}
	sink := stdout
	if i.cfg.AuditLogFile != "" {
		file, err := audit.OpenFile(i.cfg.AuditLogFile)
		if err != nil {
			return fmt.Errorf("CHASSIS_AUDIT_LOG_FILE: %w", err)
		}
		sink = file
	}
	refuse := i.cfg.AuditLogMode == auditRefuse
	log, err := audit.Open(audit.Config{
		Policy: audit.Policy(i.cfg.AuditLog), Refuse: refuse, Sink: sink, Service: i.service.Name, Instance: hostname(),
		Logger: t.Logger(), Registerer: t.Registry(),
	})
	if err != nil {
		return err
	}
	i.audit = log
	return i.health.Add(health.Check{
		Name: "audit-log", Soft: !refuse, Interval: time.Second, FailAfter: 1,
		Probe: func(context.Context) error { return log.Err() },
	})
}

// closeAuditTimeout is for the last records, those of the admin port among them.
const closeAuditTimeout = 100 * time.Millisecond

// closeAuditLog writes what is left, and says what is lost.
func (i *instance) closeAuditLog() {
	ctx, cancel := context.WithTimeoutCause(context.Background(), closeAuditTimeout, errors.New("the service ends"))
	defer cancel()
	if err := i.audit.Close(ctx); err != nil {
		i.log.Error("the audit log is not complete", "error", err.Error())
	}
}
