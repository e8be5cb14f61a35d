package admin

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/betmakers/paddock/internal/allowance"
)

// guard decides who reaches /debug; doc.go says by which rules.
type guard struct {
	allow    func(*http.Request) bool
	notLocal bool // loopback callers are nobody special
	logger   *slog.Logger
	origin   *http.CrossOriginProtection
	lines    allowance.Lines
}

func newGuard(cfg Config) *guard {
	return &guard{allow: cfg.Allow, notLocal: cfg.NotLocal, logger: cfg.Logger, origin: http.NewCrossOriginProtection()}
}

func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reason := g.refusal(r)
		if reason == "" {
			next.ServeHTTP(w, r)
			return
		}
		if suppressed, ok := g.lines.Allow("", time.Now()); ok {
			logRefused(g.logger, r, reason, suppressed)
		}
		http.Error(w, refusalText(r, reason, g.notLocal), http.StatusForbidden)
	})
}

// logRefused logs a refused request whatever the log's level is: whoever turns the log down shall
// not be able to try doors unseen. Suppressed is how many before it were not, as there were too
// many.
func logRefused(logger *slog.Logger, r *http.Request, reason string, suppressed int) {
	record := slog.NewRecord(time.Now(), slog.LevelWarn, "admin: debug request refused", 0)
	record.AddAttrs(slog.String("reason", reason), slog.String("caller", callerOf(r)),
		slog.String("method", r.Method), slog.String("path", r.URL.Path))
	if suppressed > 0 {
		record.AddAttrs(slog.Int("suppressed", suppressed))
	}
	_ = logger.Handler().Handle(r.Context(), record) // a log that fails has nowhere to say so
}

// changing lets those change something who may.
func changing(cfg Config, handler http.HandlerFunc) http.Handler {
	change := auditor{cfg.Audit}.begin(handler)
	if cfg.MayChange == nil {
		return change
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := cfg.MayChange(r); err != nil {
			logRefused(cfg.Logger, r, err.Error(), 0)
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		change.ServeHTTP(w, r)
	})
}

// refusal says why a request may not see /debug, and "" if it may.
func (g *guard) refusal(r *http.Request) string {
	if g.allow == nil || !g.allow(r) {
		if g.notLocal {
			return "it answers none but the identities of CHASSIS_DEBUG_CALLERS, as CHASSIS_DEBUG_LOOPBACK is false"
		}
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

// What headers of proxies, balancers, meshes and content networks have in their names, once _ is -
// and capitals are small. Browsers, curl and scrapers send none of them by themselves.
var (
	proxyParts    = []string{"forward", "proxy", "client-ip", "clientip", "real-ip", "connecting-ip", "remote-ip", "remote-addr", "client-cert", "original-"}
	proxyPrefixes = []string{"x-envoy-", "l5d-", "cf-", "x-amzn-", "x-amz-cf-", "x-azure-", "x-appengine-", "x-arr-", "x-akamai-", "fastly-", "x-real-", "x-client-"}
	proxyNames    = []string{"via", "cdn-loop", "x-varnish", "x-scheme", "x-host"}
)

// forwardingHeader returns the first header, in the order of the alphabet, that a proxy has added.
func forwardingHeader(h http.Header) string {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		plain := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		if slices.Contains(proxyNames, plain) ||
			slices.ContainsFunc(proxyPrefixes, func(prefix string) bool { return strings.HasPrefix(plain, prefix) }) ||
			slices.ContainsFunc(proxyParts, func(part string) bool { return strings.Contains(plain, part) }) {
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

func refusalText(r *http.Request, reason string, notLocal bool) string {
	if notLocal {
		return "/debug is refused: " + reason + ".\n\nTo see it, call this port with the certificate of one of them; CHASSIS_ADMIN_TLS " +
			"has to be set for that.\n\nThe probes and /metrics answer anyone."
	}
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
