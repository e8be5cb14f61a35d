package chassis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/betmakers/paddock/health"
	"github.com/betmakers/paddock/internal/audit"
	"github.com/betmakers/paddock/telemetry"
)

// openAuditLog starts the audit log, which goes to a file or to stdout beside the log. It returns
// nil if the audit log is off.
func openAuditLog(cfg *configuration, service string, t *telemetry.Telemetry, stdout io.Writer) (*audit.Log, error) {
	if cfg.AuditLog == string(audit.Off) {
		return nil, nil //nolint:nilnil // a nil log records nothing
	}
	sink := stdout
	if cfg.AuditLogFile != "" {
		file, err := audit.OpenFile(cfg.AuditLogFile)
		if err != nil {
			return nil, fmt.Errorf("CHASSIS_AUDIT_LOG_FILE: %w", err)
		}
		sink = file
	}
	return audit.Open(audit.Config{
		Policy: audit.Policy(cfg.AuditLog), Refuse: cfg.AuditLogMode == auditRefuse, Sink: sink, Service: service, Instance: hostname(),
		Logger: t.Logger(), Registerer: t.Registry(),
	})
}

// watchAuditLog adds a health check of the audit log. A nil log adds none.
func watchAuditLog(monitor *health.Monitor, log *audit.Log, cfg *configuration) error {
	if log == nil {
		return nil
	}
	return monitor.Add(health.Check{
		Name: "audit-log", Soft: cfg.AuditLogMode != auditRefuse, Interval: time.Second, FailAfter: 1,
		Probe: func(context.Context) error { return log.Err() },
	})
}

// closeAuditTimeout is the time for the last records, including those of the admin port.
const closeAuditTimeout = 100 * time.Millisecond

// closeAuditLog writes the remaining records and logs how many were lost.
func closeAuditLog(records *audit.Log, log *slog.Logger) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), closeAuditTimeout, errors.New("the service ends"))
	defer cancel()
	if err := records.Close(ctx); err != nil {
		log.Error("the audit log is incomplete", "error", err.Error())
	}
}
