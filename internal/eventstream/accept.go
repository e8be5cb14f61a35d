package eventstream

import (
	"mime"
	"strconv"
	"strings"
)

const maxRanges = 32 // of the headers that are looked at

// Accepted reports whether a client that sends these Accept headers asks for events rather than
// for other, the media type that it gets else. It must name text/event-stream itself: */* is what
// every client sends. Of the two types the one with the greater q is preferred, and with the same
// q the events.
func Accepted(accept []string, other string) bool {
	events, others := -1.0, -1.0
	looked := 0
	for _, header := range accept {
		for part := range strings.SplitSeq(header, ",") {
			if looked++; looked > maxRanges {
				break
			}
			name, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			switch name {
			case ContentType:
				events = max(events, quality(params))
			case other:
				others = max(others, quality(params))
			}
		}
	}
	return events > 0 && events >= others
}

// quality returns the q of a media range: 1 without one, and 0 for one that is no number.
func quality(params map[string]string) float64 {
	text, ok := params["q"]
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) { // not q < 0 || q > 1, because of NaN
		return 0
	}
	return q
}
