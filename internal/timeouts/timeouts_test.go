package timeouts_test

import (
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/timeouts"
)

func TestCallersTimeoutIsRead(t *testing.T) {
	const most = 1000 * time.Hour
	for _, test := range []struct {
		seconds, units []string
		want           time.Duration // negative: malformed
	}{
		{seconds: []string{"2"}, want: 2 * time.Second},
		{seconds: []string{"0.000000001"}, want: 1},
		{seconds: []string{"12.5"}, want: 12500 * time.Millisecond},
		{seconds: []string{"999999999999"}, want: most},
		{seconds: []string{"3", "2"}, want: 2 * time.Second},
		{seconds: []string{"3"}, units: []string{"2S"}, want: 2 * time.Second},
		{seconds: []string{"1"}, units: []string{"2S"}, want: time.Second},
		{seconds: []string{""}, want: -1},
		{seconds: []string{"-1"}, want: -1},
		{seconds: []string{"+1"}, want: -1},
		{seconds: []string{"1e3"}, want: -1},
		{seconds: []string{".5"}, want: -1},
		{seconds: []string{"5."}, want: -1},
		{seconds: []string{"1.2.3"}, want: -1},
		{seconds: []string{"2s"}, want: -1},
		{seconds: []string{" 2"}, want: -1},
		{seconds: []string{"0.0000000001"}, want: -1},
		{seconds: []string{"1111111111111"}, want: -1},
		{seconds: []string{"2", "x"}, want: -1},
		{units: []string{"1H"}, want: time.Hour},
		{units: []string{"2M"}, want: 2 * time.Minute},
		{units: []string{"5m"}, want: 5 * time.Millisecond},
		{units: []string{"6u"}, want: 6 * time.Microsecond},
		{units: []string{"99999999n"}, want: 99999999},
		{units: []string{"99999999H"}, want: most},
		{units: []string{"S"}, want: -1},
		{units: []string{"5"}, want: -1},
		{units: []string{"5s"}, want: -1},
		{units: []string{"1.5S"}, want: -1},
		{units: []string{"123456789S"}, want: -1},
		{seconds: []string{"1"}, units: []string{"-5S"}, want: -1},
	} {
		got, err := timeouts.Shortest(test.seconds, test.units)
		if (err != nil) != (test.want < 0) || err == nil && got != test.want {
			t.Errorf("%q, %q: %v, %v; want %v", test.seconds, test.units, got, err, test.want)
		}
	}
}

// What is read is what a client of ours writes, and what gRPC's own gateway makes of its form.
func FuzzCallersTimeout(f *testing.F) {
	for _, seed := range []string{"2", "0.25", "300m", "99999999H", "", "1e9", "-1", "5 s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, form := range [][2][]string{{{value}, nil}, {nil, {value}}} {
			d, err := timeouts.Shortest(form[0], form[1])
			if err == nil && (d < 0 || d > 1000*time.Hour) {
				t.Errorf("%q is %v", value, d)
			}
		}
		d, err := timeouts.Shortest([]string{value}, nil)
		if err != nil || d < time.Millisecond {
			return
		}
		again, err := timeouts.Shortest([]string{timeouts.Format(d)}, nil)
		if err != nil || again != d.Truncate(time.Millisecond) {
			t.Errorf("%q is %v, written and read again %v, %v", value, d, again, err)
		}
	})
}
