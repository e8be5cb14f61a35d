package chassis

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/betmakers/paddock/internal/admission"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/ratelimit"
	"github.com/betmakers/paddock/internal/settings"
)

// configuration is the settings after they were read. It does not change then.
type configuration struct {
	Config
	guessed    string // why Environment is what it is; empty where it was set
	overrides  contract.Overrides
	rateLimits []ratelimit.Limit
	settings   []settings.Setting // with those of the service
}

var serviceName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// read reads the settings and reports all mistakes at once.
func (c *configuration) read(ctx context.Context, service *Service, around *surroundings) error {
	var errs []error
	if !serviceName.MatchString(service.Name) {
		errs = append(errs, fmt.Errorf("Service.Name is %q; it must begin with a letter and have at most 63 lower-case letters, digits and dashes, such as big-bank", service.Name))
	}
	if service.Setup == nil {
		errs = append(errs, errors.New("Service.Setup is nil: pass the function that registers what the service serves"))
	}
	errs = append(errs, service.checkFields()...)
	environment, why := guessEnvironment(around.getenv)
	loader := settings.Loader{Lookup: around, Development: environment == development}
	own, err := loader.Load(ctx, &c.Config)
	errs = append(errs, err)
	if why != "" {
		c.Environment, c.guessed = environment, why
		guessed := settings.Named(own, "CHASSIS_ENVIRONMENT")
		guessed.Value, guessed.Origin = environment, "guessed: "+why
	}
	errs = append(errs, withoutWrong(c.validate(), own)...)
	c.overrides, _ = contract.ParseOverrides(c.PolicyOverrides) // validate has reported its errors
	c.rateLimits, _ = ratelimit.Parse(c.RateLimit)              // the same
	theirs, err := loader.Load(ctx, service.Config)
	errs = append(errs, err)
	for _, s := range theirs {
		if strings.HasPrefix(s.Name, "CHASSIS_") {
			errs = append(errs, fmt.Errorf("Service.Config has a field for %s, but names with CHASSIS_ belong to the chassis: choose another name", s.Name))
		}
	}
	errs = append(errs, settings.Unknown(withoutTargets(around.environ()), "CHASSIS_", own)...)
	c.settings = append(own, theirs...)
	return errors.Join(errs...)
}

// withoutWrong drops errors about settings that could not be parsed. The loader has reported
// these, and their present values are not the operator's.
func withoutWrong(errs []error, own []settings.Setting) []error {
	return slices.DeleteFunc(errs, func(err error) bool {
		return slices.ContainsFunc(own, func(s settings.Setting) bool { return s.Wrong && mentions(err.Error(), s.Name) })
	})
}

// mentions reports whether text has the whole name of a setting: CHASSIS_AUDIT_LOG_MODE does not
// mention CHASSIS_AUDIT_LOG.
func mentions(text, name string) bool {
	for _, after := range strings.Split(text, name)[1:] {
		if after == "" || !strings.ContainsAny(after[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") {
			return true
		}
	}
	return false
}

// development reports whether CHASSIS_ENVIRONMENT is development, set or guessed.
func (c *configuration) development() bool { return c.Environment == development }

// whyProduction returns a sentence for errors, empty if the operator has set the environment.
func (c *configuration) whyProduction() string {
	if c.guessed == "" {
		return ""
	}
	return "CHASSIS_ENVIRONMENT is not set, and production is assumed because " + c.guessed + ". "
}

// logFormat resolves auto: text at a terminal, JSON elsewhere.
func (c *configuration) logFormat(onTerminal bool) string {
	if c.LogFormat != "auto" {
		return c.LogFormat
	}
	if onTerminal {
		return "text"
	}
	return "json"
}

// newLimiter returns the limiter for overloads, nil if admission is off.
func newLimiter(cfg *configuration) *admission.Limiter {
	switch cfg.Admission {
	case admissionOn:
		return admission.New()
	case admissionReport:
		return admission.NewReporting()
	default:
		return nil
	}
}
