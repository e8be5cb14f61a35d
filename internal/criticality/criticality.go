// Package criticality is the worth of a call in an overload. Contracts declare it, admission uses
// it, and calls forward it to the services that they call.
package criticality

// Level is the worth of a call in an overload. The zero value is Normal.
type Level int8

// The levels. In an overload, the first are given up first.
const (
	Sheddable Level = iota - 1
	Normal
	Critical

	// Count is how many levels there are.
	Count = 3
)

// Rank is the level as an index from 0, which is worth least.
func (l Level) Rank() int { return int(l - Sheddable) }

func (l Level) String() string {
	switch l {
	case Sheddable:
		return "sheddable"
	case Critical:
		return "critical"
	default:
		return "normal"
	}
}
