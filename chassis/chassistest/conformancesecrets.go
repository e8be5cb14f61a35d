package chassistest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/status"
)

// secretNumber is the canary of numeric fields. It fits each type and occurs nowhere else.
const secretNumber = 1_972_463_851

// secretsTimeout bounds a handler with a generated request, which may wait for something that
// never comes.
const secretsTimeout = time.Second

// secrets sends a request with canaries to the handler of each method that takes secrets, and
// through a panic, and searches all output for them.
func secrets(t testing.TB, c *conformer) {
	t.Helper()
	canary := rand.Text()[:24] // 24 bytes: the base64 form of a longer text begins with theirs
	for _, m := range c.methods {
		f := &filler{canary: canary, number: secretNumber}
		message := newMessage(requestOf(m))
		f.fill(message.ProtoReflect(), false, fillDepth)
		as, ok := callerFor(m)
		if !f.marked || !ok {
			continue
		}
		before := c.probe.count(m)
		for _, mode := range []string{"", probePanic} {
			ctx, cancel := context.WithTimeout(t.Context(), secretsTimeout)
			err := call(ctx, c.svc.ConnAs(as), m, mode, message)
			cancel()
			if err != nil {
				search(t, canary, "the error of "+m.Name, fmt.Sprint(err, status.Convert(err).Proto()))
			}
		}
		if c.probe.count(m) == before {
			t.Errorf("cannot tell whether %s keeps its secrets: a call with them did not reach the service", m.Name)
		}
	}
	c.settle(t)
	search(t, canary, "the log", string(c.svc.seen.lines.copy()))
	for _, span := range c.svc.Spans() {
		search(t, canary, "span "+span.Name(), fmt.Sprint(span.Name(), span.Attributes(), span.Events(), span.Links(), span.Status()))
	}
	for _, page := range []string{"/metrics", "/debug/", "/debug/status.json", "/debug/config", "/debug/pprof/goroutine?debug=2"} {
		search(t, canary, page, c.page(t, page))
	}
}

// search fails the test if text contains a canary, and shows its surroundings.
func search(t testing.TB, canary, where, text string) {
	t.Helper()
	for _, secret := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary)), fmt.Sprint(secretNumber)} {
		if i := strings.Index(text, secret); i >= 0 {
			around := text[max(0, i-200):min(len(text), i+100)]
			t.Errorf("the value of a field marked with debug_redact is in %s: …%s…", where, around)
			return
		}
	}
}
