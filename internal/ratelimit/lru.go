package ratelimit

// lru is a map of fixed size, from which the key goes that was not used for the longest time.
// Entries stand in one slice and are chained by their places in it, so that it holds nothing for
// the garbage collector to walk.
type lru struct {
	size    int
	places  map[uint64]int32
	entries []entry
	newest  int32
	oldest  int32
}

type entry struct {
	key          uint64
	value        int64
	newer, older int32
}

const nowhere = -1

func newLRU(size int) lru {
	return lru{size: size, places: map[uint64]int32{}, newest: nowhere, oldest: nowhere}
}

// use returns the value of key, zero if it is new. The pointer holds until the next call.
func (l *lru) use(key uint64) *int64 {
	place, known := l.places[key]
	switch {
	case known:
		l.unlink(place)
	case len(l.entries) < l.size:
		place = int32(len(l.entries)) //nolint:gosec // size is a constant far below
		l.entries = append(l.entries, entry{key: key})
		l.places[key] = place
	default:
		place = l.oldest
		l.unlink(place)
		delete(l.places, l.entries[place].key)
		l.entries[place] = entry{key: key}
		l.places[key] = place
	}
	l.link(place)
	return &l.entries[place].value
}

// link puts an entry before the newest.
func (l *lru) link(place int32) {
	e := &l.entries[place]
	e.newer, e.older = nowhere, l.newest
	if l.newest != nowhere {
		l.entries[l.newest].newer = place
	} else {
		l.oldest = place
	}
	l.newest = place
}

func (l *lru) unlink(place int32) {
	e := l.entries[place]
	if e.newer != nowhere {
		l.entries[e.newer].older = e.older
	} else {
		l.newest = e.older
	}
	if e.older != nowhere {
		l.entries[e.older].newer = e.newer
	} else {
		l.oldest = e.newer
	}
}
