package redact_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/redact"
)

func TestErrorMasksItsURLs(t *testing.T) {
	failed := func(address string) error { return &url.Error{Op: "Get", URL: address, Err: io.EOF} }
	short, long := failed("http://a/?k=hunter2"), failed("http://a/?k=hunter2hunter2")
	_, unparsed := url.Parse("http://bob:hunter2@a:port/" + string(rune(0x7f))) //nolint:staticcheck // it is meant to fail
	for name, err := range map[string]error{
		"itself":        short,
		"wrapped":       fmt.Errorf("asking: %w", fmt.Errorf("again: %w", long)),
		"joined":        errors.Join(errors.New("seen"), short, long),
		"within itself": &url.Error{Op: "Get", URL: "http://bob:hunter2@b/", Err: short},
		"printed too":   fmt.Errorf("of http://a/?k=hunter2 and http://a/?k=hunter2hunter2: %w", errors.Join(short, long)),
		"quoted":        failed("http://a/?k=\"hunter2\""),
		"unparsed":      unparsed,
	} {
		if got := redact.Error(err); strings.Contains(got, "hunter2") || !strings.Contains(got, redact.Mask) {
			t.Errorf("%s: %s", name, got)
		}
		if raw, err := json.Marshal(redact.Value(struct{ E error }{err})); err != nil || strings.Contains(string(raw), "hunter2") {
			t.Errorf("%s, in a struct: %s, %v", name, raw, err)
		}
		if got, ok := redact.Value(err).(string); !ok || strings.Contains(got, "hunter2") {
			t.Errorf("%s, as a value: %v", name, redact.Value(err))
		}
	}
	for _, err := range []error{io.EOF, failed("http://a/x"), fmt.Errorf("of http://a/?k=1: %w", io.EOF)} {
		if got := redact.Error(err); got != err.Error() || redact.Value(err) != any(err) {
			t.Errorf("%v becomes %s", err, got)
		}
	}
}

// Work is in proportion to the error, whatever it holds.
func TestErrorIsBounded(t *testing.T) {
	var all []error
	for i := range 3000 {
		all = append(all, &url.Error{Op: "Get", URL: fmt.Sprintf("http://a/?k=hunter%d", i), Err: io.EOF})
	}
	text := errors.Join(all...).Error()
	if got := redact.Error(errors.Join(all...)); len(got) > 2*len(text) || strings.Contains(got, "hunter") {
		t.Errorf("%d bytes become %d: %.200s", len(text), len(got), got)
	}
}

func TestURLsAreMaskedAsValues(t *testing.T) {
	u, err := url.Parse("https://bob:hunter2@seen/x?key=hunter2#hunter2")
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"pointer": u, "in a struct": struct{ U *url.URL }{u}, "by value": &struct{ U url.URL }{*u}, "in a list": []any{u}} {
		if raw, err := json.Marshal(redact.Value(v)); err != nil || strings.Contains(string(raw), "hunter2") || !strings.Contains(string(raw), "@seen/x?") {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
}
