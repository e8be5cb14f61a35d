package alerts

import (
	"embed"
	"maps"
	"slices"
	"strings"
)

//go:embed rules/*.yml
var sources embed.FS

// Where the runbooks are read. Each alert has a page there, named as the alert is.
const runbooks = "https://github.com/betmakers/paddock/blob/main/docs/runbooks"

// Files returns what is to be installed, by path:
//
//	rules/service.yml, alerts.yml, days.yml, dora.yml   rule files for Prometheus
//	kubernetes/prometheusrule.yaml                        the same as one PrometheusRule, for the Prometheus Operator
//
// The content depends on the version of the module alone. The map is the caller's to change.
func Files() map[string][]byte {
	files := map[string][]byte{}
	for _, name := range []string{"service.yml", "alerts.yml", "days.yml", "dora.yml"} {
		files["rules/"+name] = []byte(expand(source(name)))
	}
	files["kubernetes/prometheusrule.yaml"] = []byte(prometheusRule(files))
	return files
}

func source(name string) string {
	text, err := sources.ReadFile("rules/" + name)
	if err != nil {
		panic("alerts: " + err.Error()) // the file is embedded: the build would have failed
	}
	return string(text)
}

// expand writes out what the sources abbreviate: the labels that name a service and a process, and
// the join by which a series of a process gets the name of its service.
func expand(source string) string {
	const process = "cluster, namespace, job, instance"
	return strings.NewReplacer(
		"$SERVICE", "cluster, namespace, service_name",
		"$PROCESS", process,
		"$JOIN", "* on ("+process+") group_left (service_name) chassis:process:service",
		"$RUNBOOKS", runbooks,
	).Replace(source)
}

// prometheusRule puts the groups of all rule files into one object of the Prometheus Operator.
func prometheusRule(files map[string][]byte) string {
	var b strings.Builder
	b.WriteString("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n" +
		"  name: paddock\n  labels: {app.kubernetes.io/name: paddock}\nspec:\n  groups:\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_, groups, _ := strings.Cut(string(files[name]), "\ngroups:\n")
		for line := range strings.Lines(groups) {
			if line != "\n" {
				b.WriteString("  ")
			}
			b.WriteString(line)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
