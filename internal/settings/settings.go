// Package settings reads structs from environment variables with go-envconfig. It keeps the value
// of each setting, its origin, its meaning, and whether it may be shown.
//
// A field is a setting if it has an `env` tag, which is go-envconfig's. More tags are read here:
//
//	help:"…"      what the setting means, for -help and the debug page
//	dev:"…"       the default in development, where it differs
//	min:"1s"      the least value, of numbers and durations, written as the variable is
//	max:"1m"      the largest value
//	oneof:"on off" the allowed values, separated by blanks
//	secret:"true" never show the value; names that logs treat as secret need no such tag
//
// Values of chassis.Secret need no such tag either. Credentials within other values are masked,
// in errors too. Limits are checked for values of every origin, the default included, and for
// each element of a list. They are not checked for a setting without a value: use go-envconfig's
// "required" for that.
package settings

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"github.com/betmakers/paddock/internal/redact"
)

// Setting is one setting with its effective value.
type Setting struct {
	Name    string // of the environment variable
	Value   string // masked if the setting is secret
	Origin  string // "environment", "default" or "default in development"
	Default string // as text; empty if there is none
	Help    string
	Type    string // of the Go field
	Limits  string // what its value must be, as in "more than zero"; empty if everything is allowed
	Wrong   bool   // its value cannot be used, and the error of Load says why
}

// Origins of a value.
const (
	FromEnvironment = "environment"
	FromDefault     = "default"
	FromDevelopment = "default in development"
)

// Loader reads settings. The zero value reads only defaults.
type Loader struct {
	Lookup      envconfig.Lookuper
	Development bool // use the defaults of the dev tags
}

// Load fills target, a pointer to a struct, and returns its settings in the order of the fields.
// A nil target has none. The error joins the mistakes of all fields, one line for each setting.
func (l Loader) Load(ctx context.Context, target any) ([]Setting, error) {
	if target == nil {
		return nil, nil
	}
	v := reflect.ValueOf(target)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("settings: the configuration is a %T; it must be a pointer to a struct", target)
	}
	r := reader{loader: l}
	r.walk(ctx, v.Elem(), "")
	return r.settings, errors.Join(r.errs...)
}

type reader struct {
	loader   Loader
	settings []Setting
	errs     []error
	within   []reflect.Type // the structs that walk is in
}

// walk visits the fields of one struct, and those of the structs in it under their prefixes.
func (r *reader) walk(ctx context.Context, v reflect.Value, prefix string) {
	r.within = append(r.within, v.Type())
	defer func() { r.within = r.within[:len(r.within)-1] }()
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		tag, isSetting := field.Tag.Lookup("env")
		switch {
		case !field.IsExported():
			switch {
			case isSetting:
				r.errs = append(r.errs, fmt.Errorf("settings: field %s has an env tag but is not exported", field.Name))
			case hasSettings(field.Type, nil):
				r.errs = append(r.errs, fmt.Errorf("settings: field %s has settings in it but is not exported, so they cannot be filled: export it, or its type if it is embedded", field.Name))
			}
		case isSetting && !strings.HasPrefix(strings.TrimSpace(tag), ","):
			r.read(ctx, field, value, prefix)
		case value.Kind() == reflect.Struct:
			r.walk(ctx, value, prefix+prefixOf(tag))
		case value.Kind() == reflect.Pointer && hasSettings(field.Type, r.within):
			if value.IsNil() {
				value.Set(reflect.New(field.Type.Elem()))
			}
			r.walk(ctx, value.Elem(), prefix+prefixOf(tag))
		}
	}
}

// hasSettings reports whether t is a struct, or a pointer to one, with settings in it. Types that
// lead back to themselves, which are in seen, have none.
func hasSettings(t reflect.Type, seen []reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || slices.Contains(seen, t) {
		return false
	}
	seen = append(seen, t)
	for i := range t.NumField() {
		field := t.Field(i)
		tag, isSetting := field.Tag.Lookup("env")
		if isSetting && !strings.HasPrefix(strings.TrimSpace(tag), ",") || hasSettings(field.Type, seen) {
			return true
		}
	}
	return false
}

// prefixOf returns the prefix of an `env:", prefix=P_"` tag of a nested struct.
func prefixOf(tag string) string {
	for option := range strings.SplitSeq(tag, ",") {
		if prefix, ok := strings.CutPrefix(strings.TrimSpace(option), "prefix="); ok {
			return prefix
		}
	}
	return ""
}

// read fills one field, by means of a struct with only that field: go-envconfig stops at the
// first error, and an operator needs all of them.
func (r *reader) read(ctx context.Context, field reflect.StructField, value reflect.Value, prefix string) {
	name, fallback := parseTag(field)
	if dev, ok := field.Tag.Lookup("dev"); ok && r.loader.Development {
		fallback = dev
	}
	name = prefix + name
	s := Setting{Name: name, Default: fallback, Help: field.Tag.Get("help"), Type: field.Type.String(), Origin: FromDefault}
	lookup := &recorder{next: r.loader.Lookup, development: field.Tag.Get("dev"), useDevelopment: r.loader.Development && hasTag(field, "dev")}

	single := reflect.New(reflect.StructOf([]reflect.StructField{{Name: field.Name, Type: field.Type, Tag: field.Tag}}))
	err := process(ctx, &envconfig.Config{Target: single.Interface(), Lookuper: envconfig.PrefixLookuper(prefix, lookup)})
	if lookup.origin != "" {
		s.Origin = lookup.origin
	}
	secret := isSecret(name, field) || redact.IsSecret(value.Interface())
	s.Default = showText(s.Default, secret)
	if err != nil {
		r.wrong(s, explain(s, lookup.value, secret, err))
		return
	}
	given := lookup.origin != "" || fallback != "" // else what the program has put there stays
	if given {
		value.Set(single.Elem().Field(0))
	}
	s.Value = show(value, secret)
	limits, err := limitsOf(field)
	s.Limits = limits.String()
	if err != nil {
		r.wrong(s, err)
		return
	}
	if wrong, found := limits.broken(value); found && (given || !value.IsZero()) {
		r.wrong(s, limits.explain(s, wrong, secret))
		return
	}
	r.settings = append(r.settings, s)
}

// process is that of envconfig. A panic is an error: values may have methods of the service.
func process(ctx context.Context, cfg *envconfig.Config) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading it panicked: %v", p)
		}
	}()
	return envconfig.ProcessWith(ctx, cfg)
}

// wrong keeps a setting that cannot be used, and why.
func (r *reader) wrong(s Setting, err error) {
	s.Wrong = true
	r.settings, r.errs = append(r.settings, s), append(r.errs, err)
}

// Named returns the setting of that name in list, nil if there is none.
func Named(list []Setting, name string) *Setting {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

func hasTag(field reflect.StructField, key string) bool {
	_, ok := field.Tag.Lookup(key)
	return ok
}

// parseTag returns the name and the default of an env tag. A default runs to the end of the tag,
// commas included, as go-envconfig has it.
func parseTag(field reflect.StructField) (name, fallback string) {
	name, options, _ := strings.Cut(field.Tag.Get("env"), ",")
	_, fallback, _ = strings.Cut(options, "default=")
	return strings.TrimSpace(name), strings.TrimSpace(fallback)
}

// explain describes the mistake in a setting and what was expected. It does not contain the value
// of a secret setting, nor the cause, which may quote it. Credentials in other values are masked,
// in the cause too, so the cause is not wrapped.
func explain(s Setting, value string, secret bool, err error) error {
	if errors.Is(err, envconfig.ErrMissingRequired) {
		return fmt.Errorf("%s is required but not set (%s)", s.Name, orText(s.Help, s.Type))
	}
	if secret {
		return fmt.Errorf("%s: its value is not a valid %s", s.Name, s.Type)
	}
	cause := err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	return fmt.Errorf("%s: %q is not a valid %s: %s", s.Name, redact.Values(value), s.Type, redact.Values(cause.Error()))
}

func orText(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// recorder records the origin of a value, and returns the default of development for a missing
// one.
type recorder struct {
	next           envconfig.Lookuper
	development    string
	useDevelopment bool
	origin, value  string
}

func (r *recorder) Lookup(key string) (string, bool) {
	if r.next != nil {
		// Set but empty counts as not set, because manifests leave variables empty for that.
		if value, ok := r.next.Lookup(key); ok && value != "" {
			r.origin, r.value = FromEnvironment, value
			return value, true
		}
	}
	if r.useDevelopment {
		r.origin, r.value = FromDevelopment, r.development
		return r.development, true
	}
	return "", false
}
