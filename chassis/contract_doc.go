package chassis

import (
	"fmt"
	"strings"
)

// contractDoc returns the contract of the service as Markdown. chassistest compares it with the
// file in docs.
func (p *debugPage) contractDoc() string {
	routes := map[string][]string{}
	for _, r := range p.api.restRoutes() {
		routes[r.FullMethod] = append(routes[r.FullMethod], "`"+r.HTTPMethod+" "+r.Pattern+"`")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The contract of %s\n\nMade from the options of its methods; do not edit.\n\n", p.service.Name)
	b.WriteString("| method | REST | deadline | open to | criticality | objectives |\n|---|---|---|---|---|---|\n")
	for _, m := range p.chain.Methods() {
		if m.Quiet {
			continue
		}
		terms := termsOf(m)
		deadline := "none"
		if terms.Deadline > 0 {
			deadline = terms.Deadline.String()
		}
		fmt.Fprintf(&b, "| `%s` (%s) | %s | %s | %s | %s | %s |\n", m.Name, m.Kind(), strings.Join(routes[m.FullMethod], "<br>"),
			deadline, terms.Callers, m.Criticality, strings.Join(objectives(terms), "<br>"))
	}
	return b.String()
}
