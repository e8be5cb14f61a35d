package inbound_test

import (
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/inbound"
)

// hostile is what callers send to break a log.
func hostile() []string {
	return []string{
		"", "plain", `"quotes" and \ backslash`, "line\nfeed\r\nand tab\t", "\x00\x01\x1b[31mred\x1b[0m\x7f", "bad \xff\xfe utf-8 \xc3",
		"\u0085\u009b31m C1", "separators \u2028\u2029", "\u202eother way round\u2066\u061c\u200f", "</script>&", "日本語 🐎", "\xed\xa0\x80 surrogate", `{"level":"ERROR"}`,
		strings.Repeat("long ", 2000), strings.Repeat("é", 5000),
	}
}

func TestTimeOfALine(t *testing.T) {
	format := inbound.TimeFormat()
	base := time.Date(2026, 12, 31, 23, 59, 58, 0, time.UTC)
	for _, at := range []time.Time{
		base, base.Add(time.Nanosecond), base.Add(999_999_999), base.Add(time.Second), base, // back within a second's memory
		base.Add(2 * time.Second), base.In(time.FixedZone("far", 13*3600+1800)).Add(100 * time.Millisecond), time.Unix(-1, 5), time.Unix(0, 0),
	} {
		if got, want := format(at), at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00"); got != want {
			t.Errorf("%v is written %s, want %s", at, got, want)
		}
	}
}
