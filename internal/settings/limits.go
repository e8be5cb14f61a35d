package settings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"
)

// limits are what the tags min, max and oneof of a field say about its value. The zero value allows
// everything.
type limits struct {
	min, max         reflect.Value // invalid where there is none
	oneOf            []reflect.Value
	minText, maxText string
	oneOfText        []string
}

// limitsOf reads the tags of a field. A tag holds values as the variable does: min:"1s" for a
// time.Duration. A tag that cannot be read is a mistake of the program, found at each start.
func limitsOf(field reflect.StructField) (l limits, err error) {
	t := scalar(field.Type)
	if l.min, l.minText, err = bound(field, t, "min"); err != nil {
		return limits{}, err
	}
	if l.max, l.maxText, err = bound(field, t, "max"); err != nil {
		return limits{}, err
	}
	text, ok := field.Tag.Lookup("oneof")
	l.oneOfText = strings.Fields(text)
	for _, text := range l.oneOfText {
		value, err := parse(t, text)
		if err != nil || value.Kind() != reflect.String && !ordered(value) {
			return limits{}, fmt.Errorf("settings: field %s: %q in its tag oneof is no value of type %s: values are texts or numbers", field.Name, text, t)
		}
		l.oneOf = append(l.oneOf, value)
	}
	switch bounded := l.min.IsValid() || l.max.IsValid(); {
	case ok && len(l.oneOf) == 0:
		return limits{}, fmt.Errorf("settings: field %s: its tag oneof is empty", field.Name)
	case ok && bounded:
		return limits{}, fmt.Errorf("settings: field %s has a tag oneof beside min or max: use one of both", field.Name)
	case l.min.IsValid() && l.max.IsValid() && compare(l.min, l.max) > 0:
		return limits{}, fmt.Errorf("settings: field %s: its min %s is more than its max %s", field.Name, l.minText, l.maxText)
	}
	return l, nil
}

// bound reads the tag min or max.
func bound(field reflect.StructField, t reflect.Type, key string) (value reflect.Value, text string, err error) {
	text, ok := field.Tag.Lookup(key)
	if !ok {
		return reflect.Value{}, "", nil
	}
	if value, err = parse(t, text); err != nil || !ordered(value) {
		return reflect.Value{}, "", fmt.Errorf("settings: field %s: its tag %s is %q, which is no limit of type %s: limits are numbers or durations", field.Name, key, text, t)
	}
	return value, text, nil
}

// parse reads text as the variable of a field of type t would be read.
func parse(t reflect.Type, text string) (reflect.Value, error) {
	if text == "" {
		return reflect.Value{}, errors.New("empty")
	}
	single := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Limit", Type: t, Tag: `env:"LIMIT"`}}))
	err := envconfig.ProcessWith(context.Background(), &envconfig.Config{
		Target: single.Interface(), Lookuper: envconfig.MapLookuper(map[string]string{"LIMIT": text}),
	})
	return single.Elem().Field(0), err
}

// scalar returns the type that limits are about: of a list they are about each element.
func scalar(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

func ordered(v reflect.Value) bool { return v.CanInt() || v.CanUint() || v.CanFloat() }

// compare is for two values of one ordered type. NaN is less than every other.
func compare(a, b reflect.Value) int {
	switch {
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	default:
		return cmp.Compare(a.Float(), b.Float())
	}
}

// broken returns the first value in v that is not allowed.
func (l limits) broken(v reflect.Value) (wrong reflect.Value, found bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return reflect.Value{}, false
		}
		return l.broken(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if wrong, found := l.broken(v.Index(i)); found {
				return wrong, true
			}
		}
		return reflect.Value{}, false
	}
	return v, !l.allow(v)
}

func (l limits) allow(v reflect.Value) bool {
	switch {
	case len(l.oneOf) > 0:
		return slices.ContainsFunc(l.oneOf, v.Equal)
	case v.CanFloat() && math.IsNaN(v.Float()):
		return !l.min.IsValid() && !l.max.IsValid()
	default:
		return (!l.min.IsValid() || compare(v, l.min) >= 0) && (!l.max.IsValid() || compare(v, l.max) <= 0)
	}
}

// String returns the limits for people, as in "more than zero". It is empty where there are none.
func (l limits) String() string {
	switch {
	case len(l.oneOf) > 0:
		return "one of " + strings.Join(l.oneOfText, ", ")
	case l.min.IsValid() && l.max.IsValid():
		return "between " + l.minText + " and " + l.maxText
	case l.max.IsValid():
		return "at most " + l.maxText
	case !l.min.IsValid():
		return ""
	case l.minText == "0" || l.minText == "0s":
		return "not negative"
	case l.min.CanInt() && (l.minText == "1" || l.minText == "1ns"):
		return "more than zero"
	default:
		return "at least " + l.minText
	}
}

// explain says what is wrong with a value. That of a secret setting stays out of it.
func (l limits) explain(s Setting, v reflect.Value, secret bool) error {
	must := "be " + l.String()
	switch {
	case len(l.oneOf) > 0:
		must = fmt.Sprintf("be one of %q", l.oneOfText)
	case l.String() == "not negative":
		must = "not be negative"
	}
	if secret {
		return fmt.Errorf("%s: its value must %s", s.Name, must)
	}
	shown := show(v, false)
	if v.Kind() == reflect.String {
		shown = fmt.Sprintf("%q", shown)
	}
	return fmt.Errorf("%s is %s; it must %s", s.Name, shown, must)
}
