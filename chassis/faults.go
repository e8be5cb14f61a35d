package chassis

import (
	"context"
	"fmt"

	"github.com/betmakers/paddock/internal/fault"
)

// setFaults activates the faults of the settings. The methods must be registered.
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
