package admin

import (
	"net/http"
	"time"
)

// bodyTime is how long the body of a request may take to come: 16 KiB at most are read of one. By
// HTTP/1 net/http reads up to 256 KiB of what no handler has read before it answers, and without a
// limit it would wait for ever.
const bodyTime = 2 * time.Second

// limitBodies bounds the time in which a body has to come. For the next request net/http sets a
// limit of its own.
func limitBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// A writer without deadlines, as a test's recorder is, waits for nobody.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		}
		next.ServeHTTP(w, r)
	})
}
