package main

import (
	"fmt"
	"io"
	"strings"
)

// markdown writes the tables of docs/performance.md, one for each kind of contender.
func (r report) markdown(out io.Writer) {
	for _, kind := range kinds {
		header := "\n| contender | CPU µs | CPU × bare | × bare-workers | × plaintext | calls/s × bare | allocs | more | bytes | more |\n" +
			"|---|---|---|---|---|---|---|---|---|---|\n"
		for _, f := range r.Contenders {
			if !strings.HasPrefix(f.Name, kind) {
				continue
			}
			fmt.Fprint(out, header, f.markdown(), "\n")
			header = ""
		}
	}
}

// markdown is one line of a table. A contender has no ratio to itself.
func (f figure) markdown() string {
	name := f.Name
	if strings.HasSuffix(name, "chassis") {
		name = "**" + name + "**"
	}
	cells := []string{name, fmt.Sprintf("%.1f", f.CPU.Median)}
	if f.Name == f.Baseline {
		cells = append(cells, "1", f.LikeRatio.markdown(), f.PlainRatio.markdown(), "1",
			fmt.Sprintf("%.0f", f.Allocs.Median), "", fmt.Sprintf("%.0f", f.Bytes.Median), "")
	} else {
		cells = append(cells, f.CPURatio.markdown(), f.LikeRatio.markdown(), f.PlainRatio.markdown(), fmt.Sprintf("%.2f", f.ThruRatio.Median),
			fmt.Sprintf("%.0f", f.Allocs.Median), fmt.Sprintf("%+.1f", f.MoreAllocs), fmt.Sprintf("%.0f", f.Bytes.Median), fmt.Sprintf("%+.0f", f.MoreBytes))
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// markdown is empty where there is no ratio.
func (s *spread) markdown() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%.2f **%.2f** %.2f", s.Min, s.Median, s.Max)
}
