package ratelimit_test

import (
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/ratelimit"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][]struct {
		rate, burst int
		per         string
	}{
		"":                                   nil,
		"  ":                                 nil,
		"100/s":                              {{100, 100, "1s"}},
		"100/s burst 200":                    {{100, 200, "1s"}},
		"web=500/s,*=100/m burst 5":          {{500, 500, "1s"}, {100, 5, "1m0s"}},
		" user:a=b = 1/h , spiffe://x/y=2/s": {{1, 1, "1h0m0s"}, {2, 2, "1s"}},
		"*=1000000/s burst 1000000":          {{1000000, 1000000, "1s"}},
	} {
		limits, err := ratelimit.Parse(text)
		if err != nil || len(limits) != len(want) {
			t.Errorf("%q: %v, %v", text, limits, err)
			continue
		}
		for i, l := range limits {
			if l.Rate != want[i].rate || l.Burst != want[i].burst || l.Per.String() != want[i].per {
				t.Errorf("%q: limit %d is %d in %v, burst %d", text, i+1, l.Rate, l.Per, l.Burst)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"100":               "expected a number of calls and s, m or h",
		"100/d":             "such as 100/s",
		"100/s burst":       "such as 100/s",
		"100/s bursts 3":    "such as 100/s",
		"100/s burst 3 4":   "such as 100/s",
		"0/s":               `the rate is "0": expected a number from 1 to 1000000`,
		"-1/s":              `the rate is "-1"`,
		"+1/s":              `the rate is "+1"`,
		"1e3/s":             `the rate is "1e3"`,
		"1000001/s":         `the rate is "1000001"`,
		"Inf/s":             `the rate is "Inf"`,
		"/s":                `the rate is ""`,
		"1/s burst 0":       `the burst is "0"`,
		"100/s,web=1/s":     "limit 1 is everybody's",
		"web=1/s,":          `limit 2, ""`,
		"=1/s":              "a caller has 1 to",
		"we b=1/s":          "no blanks",
		"a=1/s, b=x, c=2/s": `limit 2, "b=x"`,
	} {
		if _, err := ratelimit.Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want an error that says %q", text, err, says)
		}
	}
	if _, err := ratelimit.Parse(strings.Repeat("web=1/s,", 101) + "*=1/s"); err == nil || !strings.Contains(err.Error(), "at most 100") {
		t.Errorf("102 limits: %v", err)
	}
}

// Whatever is accepted has a bucket that takes a call and fills within its window.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"100/s", "web=500/s burst 1000, user:*=20/m, *=100/s", "=/s", "1/h burst 1000000", "a=b=c=1/s", "1/s burst +1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		limits, err := ratelimit.Parse(text)
		if err != nil && limits != nil {
			t.Errorf("%q: an error and limits", text)
		}
		for _, l := range limits {
			if l.Rate < 1 || l.Burst < 1 || l.Per < 1 {
				t.Errorf("%q: limit %+v", text, l)
			}
		}
	})
}
