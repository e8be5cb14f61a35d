package redact

// Marked is embedded in a type to say that its values are secrets and print as Mask.
type Marked struct{}

func (Marked) secret() {}

// IsSecret reports whether values of v's type are secrets by themselves, whatever name they stand
// under.
func IsSecret(v any) bool {
	_, ok := v.(interface{ secret() })
	return ok
}
