// Package eventstream writes server-sent events as the HTML standard has them:
// https://html.spec.whatwg.org/multipage/server-sent-events.html.
package eventstream

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ContentType is the media type of a stream of events.
const ContentType = "text/event-stream"

// Heartbeat is a comment line. Clients ignore it, and proxies see that the connection lives.
const Heartbeat = ":\n"

// Event is one event of a stream.
type Event struct {
	// Name is its type. Empty means message, the default of clients.
	Name string
	// ID is what the client sends as Last-Event-ID when it connects again. Empty leaves the
	// client's last id as it is, and so does an id that the format cannot carry: see [IsID].
	ID string
	// Retry is how long the client waits before it connects again, in whole milliseconds. Zero
	// leaves that to the client.
	Retry time.Duration
	// Data arrives as it is, but for ends of lines, which arrive as LF, and for bytes that are
	// no UTF-8, which arrive as U+FFFD. Clients drop an event whose Data is nil; they keep its
	// ID and Retry.
	Data []byte
}

// Append appends the event to b, with the blank line that ends it. Name must be one line.
func (e Event) Append(b []byte) []byte {
	if e.Name != "" {
		b = append(append(append(b, "event: "...), e.Name...), '\n')
	}
	if e.ID != "" && IsID(e.ID) {
		b = append(append(append(b, "id: "...), e.ID...), '\n')
	}
	if e.Retry >= time.Millisecond {
		b = append(b, "retry: "...)
		b = append(strconv.AppendInt(b, e.Retry.Milliseconds(), 10), '\n')
	}
	if e.Data != nil {
		b = appendData(b, e.Data)
	}
	return append(b, '\n')
}

// appendData appends a data field for each line. A line ends with CR, LF or both.
func appendData(b, data []byte) []byte {
	for {
		end := bytes.IndexAny(data, "\r\n")
		line := data
		if end >= 0 {
			line = data[:end]
		}
		b = append(append(append(b, "data: "...), bytes.ToValidUTF8(line, []byte("\uFFFD"))...), '\n')
		if end < 0 {
			return b
		}
		if bytes.HasPrefix(data[end:], []byte("\r\n")) {
			end++
		}
		data = data[end+1:]
	}
}

// IsID reports whether the format and the header Last-Event-ID can carry an id: it is UTF-8
// without control characters, and blanks at its ends would be lost.
func IsID(id string) bool {
	return utf8.ValidString(id) && strings.Trim(id, " ") == id &&
		strings.IndexFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}
