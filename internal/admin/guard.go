package admin

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard decides who reaches /debug; doc.go says by which rules.
type guard struct {
	allow  func(*http.Request) bool
	logger *slog.Logger
	origin *http.CrossOriginProtection
}

func newGuard(allow func(*http.Request) bool, logger *slog.Logger) *guard {
	return &guard{allow: allow, logger: logger, origin: http.NewCrossOriginProtection()}
}

func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reason := g.refusal(r)
		if reason == "" {
			next.ServeHTTP(w, r)
			return
		}
		g.logger.DebugContext(r.Context(), "admin: debug request refused",
			"reason", reason, "caller", r.RemoteAddr, "method", r.Method, "path", r.URL.Path)
		http.Error(w, refusalText(r, reason), http.StatusForbidden)
	})
}

// refusal says why a request may not see /debug, and "" if it may.
func (g *guard) refusal(r *http.Request) string {
	if g.allow == nil || !g.allow(r) {
		if reason := notLocal(r); reason != "" {
			return reason
		}
	}
	// An identity does not excuse a foreign origin: browsers present client
	// certificates to whatever a page makes them load.
	return g.foreignOrigin(r)
}

func notLocal(r *http.Request) string {
	switch {
	case !fromLoopback(r.RemoteAddr):
		return "it answers callers on the same machine only, and this one came from " + r.RemoteAddr
	case forwardingHeader(r.Header) != "":
		return "the request was handed on by a proxy (it carries the header " + forwardingHeader(r.Header) +
			"), so who sent it is not known"
	case !localHost(r.Host):
		return fmt.Sprintf("the Host %q is not localhost or a loopback address, "+
			"as if a web page had pointed a name of its own at this machine", r.Host)
	}
	return ""
}

// istioPassthrough is where Istio's sidecar sends strangers' calls from when
// it hands them to a port that the pod does not declare: a loopback address
// that says nothing about the caller.
var istioPassthrough = netip.AddrFrom4([4]byte{127, 0, 0, 6})

func fromLoopback(remote string) bool {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false // a unix socket or an in-memory pipe: only Allow can vouch for it
	}
	addr := ap.Addr().Unmap()
	return addr.IsLoopback() && addr != istioPassthrough
}

// localHost reports whether a Host header can only mean this machine. Names
// other than localhost resolve to what their owner likes.
func localHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// forwardingHeader returns the first header that a proxy has added.
func forwardingHeader(h http.Header) string {
	for _, name := range []string{"Forwarded", "Via", "X-Real-Ip"} {
		if len(h[name]) > 0 {
			return name
		}
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Envoy-") {
			return name
		}
	}
	return ""
}

// foreignOrigin applies net/http's cross-origin rule to reads as well: a
// profile costs CPU and a page of settings is worth reading, so another site
// may not even start to load one. The exception is a link to a page.
func (g *guard) foreignOrigin(r *http.Request) string {
	if followsLinkToPage(r) {
		return ""
	}
	asWrite := *r
	asWrite.Method = http.MethodPost
	if err := g.origin.Check(&asWrite); err != nil {
		return "a browser sent it on behalf of another site (" + err.Error() + ")"
	}
	return ""
}

func followsLinkToPage(r *http.Request) bool {
	if r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document" {
		return false
	}
	return r.URL.Path == "/debug" || r.URL.Path == "/debug/" || r.URL.Path == "/debug/config"
}

func refusalText(r *http.Request, reason string) string {
	port := "8081"
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		port = fmt.Sprint(local.Port)
	}
	return fmt.Sprintf(`/debug is refused: %s.

To see it, either come from this machine:
  kubectl port-forward pod/NAME %[2]s:%[2]s   (on Kubernetes)
  ssh -L %[2]s:localhost:%[2]s HOST           (elsewhere)
and open http://localhost:%[2]s/debug/ in a tab of its own;
or let an identity in: set CHASSIS_ADMIN_TLS, so that callers of this port show
a certificate, and name theirs in CHASSIS_DEBUG_CALLERS.

The probes and /metrics answer anyone.`, reason, port)
}
