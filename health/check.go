package health

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Check is one thing that a service needs, and how to find out whether it is there.
type Check struct {
	// Name stands in answers, logs and the label of a metric: 1 to 63 letters, digits, dots, dashes and underscores,
	// beginning with a letter or digit. Required, and unique within a Monitor.
	Name string

	// Probe returns nil where all is well, and an error made by [Degraded] where something is wrong that is to be shown
	// and takes no traffic away. It should end when ctx does. It is never called again before it has
	// returned. Required.
	Probe func(ctx context.Context) error

	// Interval is the pause between the end of one run and the start of the next, varied by a tenth either way so that
	// the replicas of a service do not probe in step. Zero means 10 s.
	Interval time.Duration

	// Timeout is how long a run may take. Zero means 2 s.
	Timeout time.Duration

	// Soft says that the check is only reported: the service stays ready while it fails.
	Soft bool

	// FailAfter is how many failures in a row make a passing check a failing one. Zero means 3.
	FailAfter int

	// PassAfter is how many passes in a row make a failing check a passing one. Zero means 1.
	PassAfter int
}

// Degraded makes of err, which must not be nil, what a Probe returns when the check passes all the same: readiness is as
// with nil, and report, log and metrics say what is wrong. It wraps err.
func Degraded(err error) error { return degraded{err} }

type degraded struct{ error }

func (d degraded) Unwrap() error { return d.error }

func (c Check) withDefaults() Check {
	c.Interval = orDefault(c.Interval, 10*time.Second)
	c.Timeout = orDefault(c.Timeout, 2*time.Second)
	c.FailAfter = orDefault(c.FailAfter, 3)
	c.PassAfter = orDefault(c.PassAfter, 1)
	return c
}

func orDefault[T comparable](value, def T) T {
	var zero T
	if value == zero {
		return def
	}
	return value
}

// validate returns everything that is wrong with c, joined.
func (c Check) validate() error {
	var errs []error
	if !validName(c.Name) {
		errs = append(errs, errors.New("the name must be 1 to 63 letters, digits, dots, dashes and underscores, beginning with a letter or digit"))
	}
	if c.Probe == nil {
		errs = append(errs, errors.New("Probe is nil: set the function that finds out"))
	}
	if c.Interval < 0 || c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("Interval %v and Timeout %v must not be negative; zero means the default", c.Interval, c.Timeout))
	}
	if c.FailAfter < 0 || c.PassAfter < 0 {
		errs = append(errs, fmt.Errorf("FailAfter %d and PassAfter %d must not be negative; zero means the default", c.FailAfter, c.PassAfter))
	}
	return errors.Join(errs...)
}

func validName(name string) bool {
	if len(name) == 0 || len(name) > 63 {
		return false
	}
	for i, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case i > 0 && (r == '.' || r == '-' || r == '_'):
		default:
			return false
		}
	}
	return true
}
