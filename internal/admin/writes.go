package admin

import (
	"net/http"
	"time"
)

// mostWritten is how much of an answer one deadline is for: a large answer to a slow reader is no
// stalled one.
const mostWritten = 64 << 10

// limitWrites gives each write of an answer its own deadline, so that readers who do not read hold
// nothing. Nothing runs between writes: a profile may take as long as it is asked to.
func limitWrites(next http.Handler, timeout time.Duration) http.Handler {
	if timeout <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limited := &limitedWriter{ResponseWriter: w, control: http.NewResponseController(w), timeout: timeout}
		limited.disarm()    // of the request before on this connection
		defer limited.arm() // for what net/http still has to write
		next.ServeHTTP(limited, r)
	})
}

type limitedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

// A writer without deadlines, as a test's recorder is, has no reader to wait for either.
func (w *limitedWriter) arm()    { _ = w.control.SetWriteDeadline(time.Now().Add(w.timeout)) }
func (w *limitedWriter) disarm() { _ = w.control.SetWriteDeadline(time.Time{}) }

func (w *limitedWriter) Write(p []byte) (written int, err error) {
	defer w.disarm()
	for first := true; first || len(p) > 0; first = false {
		part := p[:min(len(p), mostWritten)]
		w.arm()
		n, err := w.ResponseWriter.Write(part)
		written += n
		if err != nil {
			return written, err
		}
		p = p[len(part):]
	}
	return written, nil
}

// FlushError sends what is buffered.
func (w *limitedWriter) FlushError() error {
	w.arm()
	defer w.disarm()
	return w.control.Flush()
}

// Unwrap is for [http.ResponseController].
func (w *limitedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
