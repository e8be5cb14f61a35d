package telemetry

import (
	"bytes"
	"fmt"
	"io"
)

// controlEscaper escapes the control characters in a line of JSON that JSON itself allows in a string, DEL and U+0080
// to U+009F: some terminals obey them. They occur nowhere else in a line, so no parsing is needed.
type controlEscaper struct{ out io.Writer }

func (e controlEscaper) Write(line []byte) (int, error) {
	if !bytes.Contains(line, []byte{0x7f}) && !hasC1(line) {
		return e.out.Write(line)
	}
	escaped := make([]byte, 0, len(line)+64)
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == 0x7f:
			escaped = append(escaped, `\u007f`...)
		case isC1(line[i:]):
			escaped = fmt.Appendf(escaped, `\u%04x`, line[i+1])
			i++
		default:
			escaped = append(escaped, line[i])
		}
	}
	_, err := e.out.Write(escaped)
	return len(line), err
}

func hasC1(line []byte) bool {
	for {
		i := bytes.IndexByte(line, 0xc2)
		if i < 0 || isC1(line[i:]) {
			return i >= 0
		}
		line = line[i+1:]
	}
}

// isC1 tells whether p begins with the UTF-8 form of one of U+0080 to U+009F. A byte 0xC2 begins no other character.
func isC1(p []byte) bool { return len(p) > 1 && p[0] == 0xc2 && 0x80 <= p[1] && p[1] <= 0x9f }
