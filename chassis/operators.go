package chassis

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// operators decides what callers of the admin port may see and change.
type operators struct {
	cfg   *configuration
	chain *inbound.Server
}

// allowDebug returns a function that admits the identities in CHASSIS_DEBUG_CALLERS to /debug
// from other machines. It returns nil if there are none.
func (o *operators) allowDebug() func(*http.Request) bool {
	if len(o.cfg.DebugCallers) == 0 {
		return nil
	}
	var patterns []contract.Pattern
	for _, text := range o.cfg.DebugCallers {
		pattern, _ := contract.ParsePattern(text) // validate has refused what is no pattern
		patterns = append(patterns, pattern)
	}
	return func(r *http.Request) bool {
		id, ok := mtls.PeerID(r.Context())
		return ok && slices.ContainsFunc(patterns, func(p contract.Pattern) bool {
			return p.Match(contract.Caller{ID: id.String()}, o.chain.TrustDomain())
		})
	}
}

// explain reports whether a caller may call a method now, and why. A caller given as a plain name
// belongs to the own trust domain.
func (o *operators) explain(method, id, subject string) (string, bool) {
	domain := o.chain.TrustDomain()
	if id != "" && domain != "" && !strings.Contains(id, "://") {
		id = "spiffe://" + domain + "/" + id
	}
	for _, m := range o.chain.Methods() {
		if m.Name != method {
			continue
		}
		verdict := m.Explain(inbound.Caller{ID: id, Subject: subject}, domain)
		text := "refused: "
		switch {
		case verdict.Allowed:
			text = "allowed: "
		case o.cfg.Authorization == authorizationAudit:
			text = "let in, because CHASSIS_AUTHORIZATION is audit, but would be refused: "
		}
		return text + verdict.Why, true
	}
	return "", false
}

// mayChange decides who may set faults and the log level at run time. In production a loopback
// address is not enough, because it proves no identity.
func (o *operators) mayChange() func(*http.Request) error {
	if o.cfg.development() {
		return func(*http.Request) error { return nil }
	}
	allowed := o.allowDebug()
	return func(r *http.Request) error {
		if allowed != nil && allowed(r) {
			return nil
		}
		return errors.New("in production only an identity may set faults and the log level: set CHASSIS_ADMIN_TLS=true, " +
			"add the identity to CHASSIS_DEBUG_CALLERS, and call this port with its certificate")
	}
}
