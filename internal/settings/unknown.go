package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// kubernetesLink reports whether Kubernetes set the variable for a Service of the namespace. Its
// name was not chosen, so the prefix is no mistake.
func kubernetesLink(name, value string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		linkPort.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

var linkPort = regexp.MustCompile(`_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?$`)

// Unknown returns an error for each variable of environ ("NAME=value") that begins with prefix
// and is not in known, with the name that was probably meant.
func Unknown(environ []string, prefix string, known []Setting) []error {
	names := make([]string, len(known))
	for i, s := range known {
		names[i] = s.Name
	}
	var errs []error
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, prefix) || slices.Contains(names, name) || kubernetesLink(name, value) {
			continue
		}
		if meant := Nearest(name, names); meant != "" {
			errs = append(errs, fmt.Errorf("%s is not a setting: did you mean %s?", name, meant))
		} else {
			errs = append(errs, fmt.Errorf("%s is not a setting: run with -help for the list, or rename it if it is the service's own (%s* is reserved)", name, prefix))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// Nearest returns the candidate that differs from name in the fewest letters, empty if none is
// near.
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", len(name)/4+1
	for _, c := range candidates {
		if d := distance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two strings of ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
