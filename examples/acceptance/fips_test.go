package acceptance_test

import (
	"net/http"
	"regexp"
	"syscall"
	"testing"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

var fipsOn = regexp.MustCompile(`"FIPS 140-3",\s*"value": "on"`)

// A service runs on Go's FIPS 140-3 module, also where everything else is refused: development
// authority, mutual TLS, REST by TLS, and a stop in good order.
func TestFIPS(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"on", "only"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := start(t, hello, "GODEBUG=fips140="+mode, "CHASSIS_HTTP_TLS=true")
			got, err := p.client().SayHello(within(t), &hellov1.SayHelloRequest{Name: "Ada"})
			if err != nil || got.GetMessage() != "Hello, Ada!" {
				t.Errorf("by gRPC: got %v, %v", got, err)
			}
			rest, err := fetch(newHTTPClient(t, p.developer()), http.MethodGet, "https://"+p.rest+"/v1/hello/Ada", "")
			if err != nil || rest.status != http.StatusOK {
				t.Errorf("by REST: got %v, %v", rest, err)
			}
			if _, page, err := p.get("/debug/status.json"); err != nil || !fipsOn.MatchString(page) {
				t.Errorf("/debug does not say that the mode is on: %v", err)
			}
			if !p.log.has(line("FIPS 140-3 mode is on")) {
				t.Error("the log of the start does not say that the mode is on")
			}
			p.signal(syscall.SIGTERM)
			if code := p.exitCode(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
