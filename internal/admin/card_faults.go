package admin

import (
	"strconv"

	"github.com/betmakers/paddock/internal/html"
)

// faultsCard is nothing where no fault is injected.
func faultsCard(v view) html.Part {
	if len(v.Faults) == 0 {
		return html.Part{}
	}
	heads := html.All(number("Id"), columns("Injected fault", "Set by", "Ends"))
	return html.El("section.wide", counted("Injected faults", len(v.Faults)),
		table(heads, html.El("tbody", html.Each(v.Faults, func(f Fault) html.Part {
			return html.El("tr",
				html.Leaf("td.num", strconv.Itoa(f.ID)),
				html.Leaf("td.mono.wrap", f.Rule),
				html.Leaf("td.wrap", f.By),
				html.El("td.nowrap", faultEnd(v, f)))
		}))))
}

func faultEnd(v view, f Fault) html.Part {
	if f.Until.IsZero() {
		return html.Text("when it is removed")
	}
	return moment(v.Now, f.Until)
}
