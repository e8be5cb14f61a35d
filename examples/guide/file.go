package guide

import (
	"io"
	"net/http"

	"github.com/betmakers/paddock/chassis"
)

// report sends a file. Open returns its content, and its size in bytes.
func report(open func(day string) (content io.ReadCloser, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := open(r.PathValue("day"))
		if err != nil {
			http.Error(w, "no report of that day", http.StatusNotFound)
			return
		}
		defer func() { _ = content.Close() }()
		w.Header().Set("Content-Type", "text/csv")
		w.Header().Set("Content-Disposition", `attachment; filename="report.csv"`)
		_, _ = io.Copy(w, content) // an error is the client's: it has gone, or reads nothing
	})
}

func registerReports(app *chassis.App, open func(day string) (io.ReadCloser, error)) {
	app.Handle("GET /reports/{day}", report(open), "web", "user:*")
}
