package logline

import "unicode/utf8"

// maxEcho bounds what of a caller's text is repeated in an answer or in a log line.
const maxEcho = 256

// Truncate returns the beginning of a text that is too long, with a sign that there was more.
func Truncate(s string) string {
	if len(s) <= maxEcho {
		return s
	}
	end := maxEcho
	for end > maxEcho-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end-- // half a character would be none
	}
	return s[:end] + "…"
}
