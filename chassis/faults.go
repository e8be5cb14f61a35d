package chassis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/fault"
)

// setFaults puts the faults of the settings in force, now that the methods are known.
func setFaults(ctx context.Context, set *fault.Set, text string) error {
	rules, err := fault.Parse(text, false)
	if err != nil || len(rules) == 0 {
		return err
	}
	if err := set.Add(ctx, rules, "CHASSIS_FAULTS"); err != nil {
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
