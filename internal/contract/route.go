package contract

import (
	"errors"
	"fmt"
)

// Route returns the record of plain HTTP under a pattern of http.ServeMux: a method that declares
// only its callers, in the grammar of a contract. A public route has none.
func Route(pattern string, public bool, callers []string) (*Method, error) {
	m := &Method{Name: pattern, Public: public}
	var errs []error
	for _, text := range callers {
		p, err := ParsePattern(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("callers have %q: %w", text, err))
			continue
		}
		m.Callers = append(m.Callers, p)
	}
	return m, errors.Join(errs...)
}
