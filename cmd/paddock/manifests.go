package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/betmakers/paddock/internal/contract"
)

const policyFile = "deploy/networkpolicy.yaml"

// manifests writes the NetworkPolicy that the contract asks for.
func (t *tool) manifests(ctx context.Context, args []string) error {
	flags := t.flags("manifests")
	dir := flags.String("dir", ".", "folder of the service")
	check := flags.Bool("check", false, "write nothing, and exit with 1 if the file differs")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return t.wrong("manifests has no argument %q", rest[0])
	}
	s, err := loadFolder(ctx, *dir)
	if err != nil {
		return err
	}
	want, file := networkPolicy(s), filepath.Join(*dir, filepath.FromSlash(policyFile))
	got, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case string(got) == want:
		return nil
	case *check:
		t.print("%s is not what the contract asks for: run paddock manifests\n", file)
		return errDiffers
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // source code
		return err
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // the same
		return err
	}
	t.print("wrote %s\n", file)
	return nil
}

const policyHead = `# paddock:managed: made from the callers in the contract by paddock manifests; do not edit.
# It lets in the pods of declared callers, by their label app.kubernetes.io/name, from any namespace. It cannot tell methods
# apart: mutual TLS and the contract decide who may call which. Pods of Prometheus are those of the namespace monitoring.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: %[1]s
  labels: {app.kubernetes.io/name: %[1]s}
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: %[1]s}
  policyTypes: [Ingress]
  ingress:
`

const policyAdmin = `    # probes and metrics: Prometheus, and the other replicas
    - from:
        - namespaceSelector:
            matchLabels: {kubernetes.io/metadata.name: monitoring}
        - podSelector:
            matchLabels: {app.kubernetes.io/name: %s}
      ports:
        - {port: admin}
`

// networkPolicy returns the policy of a service. Who may call any of its methods may connect.
func networkPolicy(s *service) string {
	a := admitted(s)
	var b strings.Builder
	fmt.Fprintf(&b, policyHead, s.name)
	if len(a.anywhere) > 0 {
		rule(&b, a.anywhere, "", "grpc", "http")
	}
	if len(a.users) > 0 {
		rule(&b, a.users, "", "http")
	}
	if len(a.cluster) > 0 {
		rule(&b, a.cluster, "        - namespaceSelector: {}\n", "grpc", "http")
	}
	for _, name := range a.names() {
		rule(&b, a.services[name], "        - namespaceSelector: {}\n          podSelector:\n            matchLabels: {app.kubernetes.io/name: "+name+"}\n", "grpc", "http")
	}
	fmt.Fprintf(&b, policyAdmin, s.name)
	return b.String()
}

// rule writes one rule with its reasons. Without from it is for every client.
func rule(b *strings.Builder, reasons []string, from string, ports ...string) {
	for _, reason := range reasons {
		b.WriteString("    # " + reason + "\n")
	}
	if from == "" {
		b.WriteString("    - ports:\n")
	} else {
		b.WriteString("    - from:\n" + from + "      ports:\n")
	}
	for _, port := range ports {
		b.WriteString("        - {port: " + port + "}\n")
	}
}

// admission is who may connect, each with the reasons.
type admission struct {
	anywhere []string            // every client
	users    []string            // every client, by REST
	cluster  []string            // every pod
	services map[string][]string // pods of a service, by its name
}

func admitted(s *service) admission {
	a := admission{services: map[string][]string{}}
	for _, m := range s.methods {
		method := path.Base(m.Name)
		switch {
		case m.Public:
			a.anywhere = append(a.anywhere, method+": public")
		case len(m.Callers) == 0:
			a.cluster = append(a.cluster, method+": every service of the trust domain")
		}
		for _, p := range m.Callers {
			a.admit(p, method+": "+p.String())
		}
	}
	return a
}

func (a *admission) admit(p contract.Pattern, reason string) {
	switch text := p.String(); {
	case p.User():
		a.users = append(a.users, reason)
	case strings.HasPrefix(text, "spiffe://"):
		a.anywhere = append(a.anywhere, reason+", which may be outside of the cluster")
	case strings.ContainsAny(text, "*/"):
		a.cluster = append(a.cluster, reason+", which a selector of labels cannot express")
	default:
		a.services[text] = append(a.services[text], reason)
	}
}

func (a *admission) names() (names []string) {
	for name := range a.services {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
