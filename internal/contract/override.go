package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"

	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// Overrides are an operator's policies by method, "package.Service/Method". They take precedence
// over the declared ones.
type Overrides map[string]*paddockv1.Policy

// ParseOverrides parses {"package.Service/Method": {…}, …}, where each value is a
// paddock.v1.Policy as JSON. It returns none for an empty text. Unknown fields are errors, so
// that an override without effect is detected.
func ParseOverrides(text string) (Overrides, error) {
	if text == "" {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	err := json.Unmarshal([]byte(text), &raw)
	if err == nil && raw == nil {
		err = errors.New("it is null")
	}
	if err != nil {
		return nil, fmt.Errorf(`overrides must be a JSON object such as {"package.Service/Method": {"timeout": "2s"}}: %w`, err)
	}
	overrides := Overrides{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		p := &paddockv1.Policy{}
		if err := protojson.Unmarshal(raw[name], p); err != nil {
			errs = append(errs, fmt.Errorf("override of %s is no paddock.v1.Policy: %w", name, err))
			continue
		}
		overrides[name] = p
	}
	return overrides, errors.Join(errs...)
}

// Unused returns the names in o that are not in methods, sorted.
func (o Overrides) Unused(methods []string) []string {
	var unused []string
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(methods, name) {
			unused = append(unused, name)
		}
	}
	return unused
}
