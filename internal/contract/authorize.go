package contract

import "fmt"

// Verdict is the answer to whether a caller may call a method.
type Verdict struct {
	Allowed bool
	// Anonymous reports that the caller was refused because it has proved no identity. It may try
	// again with one.
	Anonymous bool
	// Why is the reason, for operators and not for the caller, because it lists the callers that
	// are allowed.
	Why string
}

// Authorize decides whether c may call m. domain is the own trust domain, empty if mutual TLS is
// off. Then methods without declared callers accept every caller, because another layer was made
// responsible.
func (m *Method) Authorize(c Caller, domain string) bool {
	switch {
	case m.Public:
		return true
	case len(m.Callers) > 0:
		for _, p := range m.Callers {
			if p.Match(c, domain) {
				return true
			}
		}
		return false
	case domain == "":
		return true
	default:
		_, own := inDomain(c.ID, domain)
		return own
	}
}

// Explain is Authorize with the reason as text.
func (m *Method) Explain(c Caller, domain string) Verdict {
	v := Verdict{Allowed: m.Authorize(c, domain)}
	v.Anonymous = !v.Allowed && c.Anonymous()
	who := fmt.Sprintf("%q", c.ID)
	switch {
	case c.Anonymous():
		who = "a caller without identity"
	case c.ID == "":
		who = "the user of a bearer token" // whom it names stays out of the log, as all that tokens say
	case c.Subject != "":
		who += " for the user of a bearer token"
	}
	verb := "may not call"
	if v.Allowed {
		verb = "may call"
	}
	v.Why = fmt.Sprintf("%s %s %s: it is open to %s", who, verb, m.Name, m.Describe())
	if domain != "" {
		v.Why += fmt.Sprintf(" (own trust domain: %s)", domain)
	} else {
		v.Why += " (no own trust domain is set, so names without one match no caller, and a method without callers is open to all)"
	}
	return v
}
