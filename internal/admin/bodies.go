package admin

import (
	"net/http"
	"time"
)

// limitBodies bounds the time in which a body has to come, and has the answer sent without it where no handler reads
// it: by HTTP/1 net/http would first read up to 256 KiB of it, and wait for as long as that takes.
func limitBodies(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			limitBody(http.NewResponseController(w), r, timeout)
		}
		next.ServeHTTP(w, r)
	})
}

// limitBody leaves no limit for the next request, for which net/http sets its own. A writer without deadlines, as a
// test's recorder is, waits for nobody.
func limitBody(control *http.ResponseController, r *http.Request, timeout time.Duration) {
	if timeout > 0 {
		_ = control.SetReadDeadline(time.Now().Add(timeout))
	}
	if r.ProtoMajor == 1 {
		_ = control.EnableFullDuplex()
	}
}
