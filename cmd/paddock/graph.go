package main

import (
	"context"
	"path"
	"slices"
	"strings"
)

// edge is a caller, as a contract lists it, and what it may call.
type edge struct {
	caller, service string
	methods         []string
}

// anyService and anyone are callers that a contract does not list.
const (
	anyService = "(any service)"
	anyone     = "(anyone)"
)

// contractGraph prints who may call whom.
func (t *tool) contractGraph(ctx context.Context, args []string) error {
	flags := t.flags("contract graph DIR...")
	mermaid := flags.Bool("mermaid", false, "print a Mermaid diagram")
	dirs, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	var edges []edge
	for _, dir := range dirs {
		s, err := loadFolder(ctx, dir)
		if err != nil {
			return err
		}
		edges = append(edges, s.edges()...)
	}
	if *mermaid {
		t.print("%s", drawMermaid(edges))
		return nil
	}
	for _, e := range edges {
		t.print("%s -> %s: %s\n", e.caller, e.service, strings.Join(e.methods, ", "))
	}
	return nil
}

// edges returns one edge for each caller of the service, in order.
func (s *service) edges() (edges []edge) {
	for _, m := range s.methods {
		callers := []string{anyService}
		if m.Public {
			callers = []string{anyone}
		}
		if len(m.Callers) > 0 {
			callers = nil
			for _, p := range m.Callers {
				callers = append(callers, p.String())
			}
		}
		for _, caller := range callers {
			i := slices.IndexFunc(edges, func(e edge) bool { return e.caller == caller })
			if i < 0 {
				i = len(edges)
				edges = append(edges, edge{caller: caller, service: s.name})
			}
			edges[i].methods = append(edges[i].methods, path.Base(m.Name))
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return strings.Compare(a.caller, b.caller) })
	return edges
}

// drawMermaid has a node for each caller and service, in quotes: names have letters that Mermaid
// would read.
func drawMermaid(edges []edge) string {
	var b strings.Builder
	b.WriteString("graph LR\n")
	nodes := map[string]string{}
	node := func(name string) string {
		if id, ok := nodes[name]; ok {
			return id
		}
		id := "n" + string(rune('a'+len(nodes)%26)) + strings.Repeat("x", len(nodes)/26)
		nodes[name] = id
		return id + `["` + name + `"]`
	}
	for _, e := range edges {
		b.WriteString("  " + node(e.caller) + ` -->|"` + strings.Join(e.methods, "<br>") + `"| ` + node(e.service) + "\n")
	}
	return b.String()
}
