package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/betmakers/paddock/internal/contract"
)

// contract prints, compares or draws contracts.
func (t *tool) contract(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "diff" {
		return t.contractDiff(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "graph" {
		return t.contractGraph(ctx, args[1:])
	}
	rest, err := parse(t.flags("contract [DIR]"), args)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return t.wrong("contract prints one service")
	}
	s, err := loadFolder(ctx, first(rest, "."))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(t.stdout, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(w, "METHOD\tKIND\tDEADLINE\tOPEN TO\tREPEATED\tCRITICALITY\tOBJECTIVES")
	for _, m := range s.methods {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.Kind(), deadline(m), m.Describe(), repeated(m), m.Criticality, objectives(m.Objectives))
	}
	return w.Flush()
}

func loadFolder(ctx context.Context, dir string) (*service, error) {
	found, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	return found.load(ctx, dir)
}

func first(args []string, otherwise string) string {
	if len(args) > 0 {
		return args[0]
	}
	return otherwise
}

func deadline(m *contract.Method) string {
	switch {
	case m.Timeout == 0:
		return "none"
	case m.OwnTimeout:
		return m.Timeout.String()
	default:
		return m.Timeout.String() + " by default"
	}
}

func repeated(m *contract.Method) string {
	if !m.Repeatable {
		return "no"
	}
	text := fmt.Sprintf("%d attempts", m.MaxAttempts)
	if m.HedgeAfter > 0 {
		text += ", hedged after " + m.HedgeAfter.String()
	}
	return text
}

func objectives(o contract.Objectives) string {
	var parts []string
	if o.Availability > 0 {
		parts = append(parts, fmt.Sprintf("%v %% available", o.Availability))
	}
	if o.Latency > 0 {
		parts = append(parts, fmt.Sprintf("%v %% within %s", o.Latency, o.Within))
	}
	return strings.Join(parts, ", ")
}

// contractDiff prints what changed between two versions.
func (t *tool) contractDiff(ctx context.Context, args []string) error {
	flags := t.flags("contract diff OLD [NEW]")
	dir := flags.String("dir", ".", "folder of the service, for revisions of git")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 && len(rest) != 2 {
		return t.wrong("contract diff compares two versions: OLD, and NEW or the folder of the service")
	}
	versions := []string{rest[0], *dir}
	if len(rest) == 2 {
		versions[1] = rest[1]
	}
	var loaded [2]*service
	for i, version := range versions {
		found, err := readSources(ctx, *dir, version)
		if err != nil {
			return err
		}
		if loaded[i], err = found.load(ctx, version); err != nil {
			return err
		}
	}
	changes := compare(loaded[0].methods, loaded[1].methods)
	breaks := false
	for _, c := range changes {
		t.print("%s\n", c)
		breaks = breaks || c.breaking
	}
	if breaks {
		return errDiffers
	}
	return nil
}

// change is a difference between two versions of a contract.
type change struct {
	method, text string
	breaking     bool
}

func (c change) String() string {
	kind := "changed "
	if c.breaking {
		kind = "BREAKING"
	}
	return kind + " " + c.method + ": " + c.text
}

// compare returns the changes from old to new, in the order of old. A change is breaking if a
// caller could fail that did not, or if someone has to agree to it: callers that are refused, more
// callers than before, a deadline that is longer or shorter, a method that is gone or has another
// shape, a promise that is taken back.
func compare(old, now []*contract.Method) (changes []change) {
	for _, before := range old {
		i := slices.IndexFunc(now, func(m *contract.Method) bool { return m.Name == before.Name })
		if i < 0 {
			changes = append(changes, change{before.Name, "removed", true})
			continue
		}
		changes = append(changes, compareMethod(before, now[i])...)
	}
	for _, m := range now {
		if !slices.ContainsFunc(old, func(before *contract.Method) bool { return before.Name == m.Name }) {
			changes = append(changes, change{m.Name, "added, open to " + m.Describe(), false})
		}
	}
	return changes
}

func compareMethod(old, now *contract.Method) (changes []change) {
	add := func(breaking bool, what string, from, to any) {
		changes = append(changes, change{now.Name, fmt.Sprintf("%s: %v -> %v", what, from, to), breaking})
	}
	if old.Kind() != now.Kind() {
		add(true, "kind", old.Kind(), now.Kind())
	}
	if from, to := old.Describe(), now.Describe(); from != to {
		wider, narrower := openness(old, now)
		switch {
		case wider && narrower:
			add(true, "callers, some of them new and some refused", from, to)
		case wider:
			add(true, "callers, more than before", from, to)
		case narrower:
			add(true, "callers, some refused", from, to)
		}
	}
	if old.Timeout != now.Timeout {
		what := "deadline, longer than callers plan for"
		if now.Timeout != 0 && (old.Timeout == 0 || now.Timeout < old.Timeout) {
			what = "deadline, shorter than handlers may need"
		}
		add(true, what, deadline(old), deadline(now))
	}
	if repeated(old) != repeated(now) {
		add(!old.Repeatable && now.Repeatable, "repeated", repeated(old), repeated(now))
	}
	if old.Criticality != now.Criticality {
		add(now.Criticality < old.Criticality, "criticality", old.Criticality, now.Criticality)
	}
	if old.Objectives != now.Objectives {
		add(weaker(old.Objectives, now.Objectives), "objectives", objectives(old.Objectives), objectives(now.Objectives))
	}
	if old.MaxRequest != now.MaxRequest {
		add(now.MaxRequest != 0 && (old.MaxRequest == 0 || now.MaxRequest < old.MaxRequest), "largest request", old.MaxRequest, now.MaxRequest)
	}
	return changes
}

// weaker reports whether a promise is taken back in part.
func weaker(old, now contract.Objectives) bool {
	return now.Availability < old.Availability || now.Latency < old.Latency || old.Within > 0 && now.Within > old.Within
}

// openness reports whether now lets callers in that old does not, and the other way round.
func openness(old, now *contract.Method) (wider, narrower bool) {
	return !covers(old, now), !covers(now, old)
}

// covers reports whether a lets in all callers that b does. Of patterns it compares what they
// match: one that is within another is covered by it.
func covers(a, b *contract.Method) bool {
	switch {
	case a.Public:
		return true
	case b.Public:
		return false
	case len(a.Callers) == 0: // the own trust domain
		return !slices.ContainsFunc(b.Callers, func(p contract.Pattern) bool { return strings.Contains(p.String(), ":") })
	case len(b.Callers) == 0:
		return slices.ContainsFunc(a.Callers, func(p contract.Pattern) bool { return p.String() == "*" })
	}
	for _, theirs := range b.Callers {
		if !slices.ContainsFunc(a.Callers, func(ours contract.Pattern) bool { return within(theirs.String(), ours.String()) }) {
			return false
		}
	}
	return true
}

// within reports whether everything that inner matches is matched by outer. A star of inner is
// taken for a letter: only a star of outer matches it.
func within(inner, outer string) bool {
	isUser := strings.HasPrefix(inner, "user:")
	switch {
	case inner == outer:
		return true
	case isUser != strings.HasPrefix(outer, "user:"), strings.HasPrefix(inner, "spiffe:") != strings.HasPrefix(outer, "spiffe:"):
		return false
	case isUser && outer == "user:*":
		return true
	}
	return contract.Wildcard(outer, inner)
}
