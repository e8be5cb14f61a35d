// Package criticality is what a call is worth when a service cannot do everything: contracts declare it, admission goes
// by it, and calls carry it to the services that they call.
package criticality

// Level says what a call is worth in an overload. The zero value is Normal.
type Level int8

// The levels, from what is given up first to what is given up last.
const (
	Sheddable Level = iota - 1
	Normal
	Critical

	// Count is how many levels there are.
	Count = 3
)

// Rank is the level as an index, from 0 up: more is worth more.
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
