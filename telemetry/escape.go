package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// controlEscaper escapes characters in a line of JSON that JSON allows in a string and that some
// readers obey. DEL and U+0080 to U+009F control terminals; marks of bidirectional text change
// the displayed order of a line (CVE-2021-42574). They occur only in strings, so no parsing is
// needed.
type controlEscaper struct{ out io.Writer }

func (e controlEscaper) Write(line []byte) (int, error) {
	if !mayBeObeyed(line) {
		return e.out.Write(line)
	}
	next := obeyed(line)
	if next < 0 {
		return e.out.Write(line)
	}
	escaped, rest := make([]byte, 0, len(line)+64), line
	for ; next >= 0; next = obeyed(rest) {
		r, size := utf8.DecodeRune(rest[next:])
		escaped = fmt.Appendf(append(escaped, rest[:next]...), `\u%04x`, r)
		rest = rest[next+size:]
	}
	_, err := e.out.Write(append(escaped, rest...))
	return len(line), err
}

// mayBeObeyed reports whether line has one of the first bytes of such characters in UTF-8. Most
// lines have none.
func mayBeObeyed(line []byte) bool {
	for _, first := range [...]byte{0x7f, 0xc2, 0xd8, 0xe2} {
		if bytes.IndexByte(line, first) >= 0 {
			return true
		}
	}
	return false
}

// obeyed returns the index of the first character to escape, -1 if there is none.
func obeyed(line []byte) int {
	for i := range line {
		switch c := line[i]; {
		case c == 0x7f:
			return i
		case c < 0x80, c != 0xc2 && c != 0xd8 && c != 0xe2:
		case isObeyed(line[i:]):
			return i
		}
	}
	return -1
}

// isObeyed reports whether p begins with the UTF-8 form of U+0080 to U+009F or of a mark of
// bidirectional text.
func isObeyed(p []byte) bool {
	r, _ := utf8.DecodeRune(p)
	return r >= 0x80 && r <= 0x9f || unicode.Is(unicode.Bidi_Control, r)
}
