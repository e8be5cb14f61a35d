package chassis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// A plain handler decides about the body of its request: net/http's own server would leave it to
// it, too.
func TestHandleTakesBodiesAsTheyCome(t *testing.T) {
	t.Parallel()
	const large = 10 << 20 // more than a message may have
	for name, tc := range map[string]struct {
		env      env
		encoding string
		want     string
	}{
		"an upload":                {nil, "", "10485760 bytes, <nil>"},
		"a compressed blob":        {nil, "gzip", "10485760 bytes, <nil>"},
		"with the limit's setting": {env{"CHASSIS_MAX_HANDLER_BYTES": "1000"}, "", "0 bytes, too large for 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := chassis.Service{Name: "files", Setup: func(_ context.Context, app *chassis.App) error {
				app.HandlePublic("PUT /blob", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n, err := io.Copy(io.Discard, r.Body)
					if large := new(http.MaxBytesError); errors.As(err, &large) {
						err = fmt.Errorf("too large for %d", large.Limit)
					}
					_, _ = fmt.Fprintf(w, "%d bytes, %v", n, err)
				}))
				return nil
			}}
			svc := chassistest.Start(t, service, chassistest.Options{Env: tc.env})
			got := do(t, svc.HTTP(), "PUT", "http://rest/blob", strings.Repeat("x", large), "Content-Encoding", tc.encoding)
			if got.status != http.StatusOK || got.body != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
