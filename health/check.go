package health

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Check is a check of one thing that a service needs.
//
//	monitor.Add(health.Check{Name: "database", Probe: db.PingContext})
type Check struct {
	// Name appears in answers, logs and the label of a metric: 1 to 63 letters, digits, dots,
	// dashes and underscores, beginning with a letter or digit. Required, and unique within a
	// Monitor.
	Name string

	// Probe returns nil if the check passes, and an error if it fails. An error made by
	// [Degraded] is shown but does not affect readiness. Probe should return when ctx ends. It is
	// never called again before it has returned. Required.
	Probe func(ctx context.Context) error

	// Interval is the pause between the end of one run and the start of the next. It varies by up
	// to a tenth in both directions, so that replicas do not probe in step. Zero means 10 s.
	Interval time.Duration

	// Timeout bounds a run. Zero means 2 s.
	Timeout time.Duration

	// Soft makes the check informative: the service stays ready while it fails.
	Soft bool

	// FailAfter is the number of consecutive failures that turn a passing check into a failing
	// one. Zero means 3.
	FailAfter int

	// PassAfter is the number of consecutive passes that turn a failing check into a passing one.
	// Zero means 1.
	PassAfter int
}

// Degraded returns an error with which a Probe passes: readiness is as with nil, while the error
// appears in Status, log and metrics. It wraps err, which must not be nil.
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

// validate returns all mistakes in c, joined.
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
