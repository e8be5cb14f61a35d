package problem

import (
	"strconv"
	"strings"
)

const maxRanges = 32 // of an Accept-Language that are looked at

// prefers reports whether Accept-Language names the language of locale, and not after English,
// which is that of the text for developers. A range takes in what is more special, as de does
// de-CH, and, for want of better, what is more general.
func prefers(accept, locale string) bool {
	quality := qualityOf(accept, locale)
	return quality > 0 && quality >= qualityOf(accept, "en")
}

// qualityOf returns the q of the range of Accept-Language that fits tag most closely, zero if none
// does.
func qualityOf(accept, tag string) float64 {
	closest, quality := 0, 0.0
	for i := 0; i < maxRanges && accept != ""; i++ {
		var part string
		part, accept, _ = strings.Cut(accept, ",")
		name, q := parseRange(part)
		if fit := fits(name, tag); fit > closest {
			closest, quality = fit, q
		}
	}
	return quality
}

// fits returns how many bytes the two have in common where one is the other or its beginning, up to
// a dash.
func fits(a, b string) int {
	if len(a) > len(b) {
		a, b = b, a
	}
	if a != "" && strings.EqualFold(a, b[:len(a)]) && (len(a) == len(b) || b[len(a)] == '-') {
		return len(a)
	}
	return 0
}

// parseRange takes "de-CH;q=0.8" apart. Without a q it is 1, with a malformed one 0.
func parseRange(part string) (name string, q float64) {
	name, weight, weighted := strings.Cut(part, ";")
	name = strings.TrimSpace(name)
	if !weighted {
		return name, 1
	}
	value, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
	q, err := strconv.ParseFloat(value, 64)
	if !ok || err != nil || !(q >= 0 && q <= 1) { // not q < 0 || q > 1, because of NaN
		return name, 0
	}
	return name, q
}

// isTag reports whether locale looks like a language tag, and may stand in a header.
func isTag(locale string) bool {
	return locale != "" && len(locale) <= 35 && strings.IndexFunc(locale, func(r rune) bool { return !isAlphanumeric(r) && r != '-' }) < 0
}
