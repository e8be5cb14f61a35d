package balance

import (
	"math"
	"sync/atomic"
	"time"
)

// instant is a time of a policy: milliseconds since it was made. It is monotonic, so setting the
// clock changes nothing.
type instant int64

// clock counts instants from the time that it is.
type clock time.Time

func (c clock) at(t time.Time) instant { return instant(t.Sub(time.Time(c)) / time.Millisecond) }
func (c clock) now() instant           { return c.at(time.Now()) }

// milliseconds converts a duration.
func milliseconds(d time.Duration) instant { return instant(d / time.Millisecond) }

// attempts keeps the newest attempts at one replica. Its size is constant, whatever the number of
// methods, calls and callers. Its zero value is empty. Its methods may be called concurrently.
type attempts struct {
	begun atomic.Int64 // all of them since the last round, noted or not
	noted atomic.Uint64
	ring  [kept]atomic.Uint64
}

// kept is the number of remembered attempts of a replica, and aSecond the number of attempts of
// one second among them, if there are more. A dozen can prove that a replica is an outlier, and
// slow calls must be remembered for several times as long as they should take.
const (
	kept    = 256
	aSecond = 24
)

// note is the record of an attempt. From the highest bit: whether it has ended, has failed and
// has a comparable duration; the duration, see [scale]; the method's index; its beginning. An
// attempt is recorded when it begins, because one that hangs never ends, and because ended
// attempts are not typical of running ones.
type note uint64

const (
	noteEnded  note = 1 << 63
	noteFailed note = 1 << 62
	noteTimed  note = 1 << 61

	noteLog    = 51 // how far to the left the duration stands
	noteMethod = 39 // and the method

	mostMethods = 1 << (noteLog - noteMethod) // that are distinguished; the others count as one
)

func newNote(m *method, begun instant) note {
	n := note(m.index)<<noteMethod | note(begun)&(1<<noteMethod-1) | noteTimed //nolint:gosec // neither is negative
	if !m.timed {
		n &^= noteTimed
	}
	return n
}

// ended is the note of the same attempt after its end.
func (n note) ended(took time.Duration, failed bool) note {
	n |= noteEnded | note(scale(took))<<noteLog //nolint:gosec // it is not negative
	if failed {
		n |= noteFailed
	}
	return n
}

func (n note) method() int    { return int(n >> noteMethod & (mostMethods - 1)) }
func (n note) begun() instant { return instant(n & (1<<noteMethod - 1)) }
func (n note) log() int       { return int(n >> noteLog & mostScale) }

// add records an attempt and returns its place.
func (a *attempts) add(n note) *atomic.Uint64 {
	slot := &a.ring[(a.noted.Add(1)-1)%kept]
	slot.Store(uint64(n))
	return slot
}

// Durations are compared by their binary logarithm, in steps of a 32nd, from a microsecond to an
// hour.
const (
	octave    = 32
	mostScale = 1<<(61-noteLog) - 1
)

func scale(d time.Duration) int {
	if d <= time.Microsecond {
		return 0
	}
	return min(mostScale, int(octave*math.Log2(float64(d)/float64(time.Microsecond))))
}

// unscale is the inverse of scale.
func unscale(log int) time.Duration {
	return time.Duration(math.Exp2(float64(log)/octave) * float64(time.Microsecond))
}

// sample is a decoded note.
type sample struct {
	of     int // the replica, by its place in the policy
	method int
	log    int // that of an attempt under way is how long it has waited
	begun  instant
	ended  bool
	failed bool
	timed  bool
}

// appendTo appends the attempts that began at since or later, and returns the time from which on
// they are complete.
func (a *attempts) appendTo(samples []sample, of int, since, now instant) ([]sample, instant) {
	oldest, n := now, 0
	for i := range a.ring {
		raw := note(a.ring[i].Load())
		if raw == 0 {
			continue
		}
		n++
		oldest = min(oldest, raw.begun())
		if raw.begun() < since {
			continue
		}
		s := sample{
			of: of, method: raw.method(), log: raw.log(), begun: raw.begun(),
			ended: raw&noteEnded != 0, failed: raw&noteFailed != 0, timed: raw&noteTimed != 0,
		}
		if !s.ended {
			s.log = scale(time.Duration(now-s.begun) * time.Millisecond)
		}
		samples = append(samples, s)
	}
	if n < kept {
		return samples, since
	}
	return samples, max(since, oldest+1)
}
