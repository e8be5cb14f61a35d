package kubernetes_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

// manifests are those of one service. Each kind is decoded strictly: a field that Kubernetes does
// not know is an error.
type manifests struct {
	deployment appsv1.Deployment
	services   []corev1.Service
	budget     policyv1.PodDisruptionBudget
	scaler     autoscalingv2.HorizontalPodAutoscaler
	network    networkingv1.NetworkPolicy
	monitor    podMonitor
	cert       certificate
}

// podMonitor and certificate have the fields of monitoring.coreos.com/v1 and cert-manager.io/v1
// that the template uses. Their own modules are large.
type podMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector            metav1.LabelSelector `json:"selector"`
		PodMetricsEndpoints []struct {
			Port, Path, Interval string
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

type certificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		SecretName            string   `json:"secretName"`
		Duration, RenewBefore string   `json:",omitempty"`
		Usages                []string `json:"usages"`
		URIs                  []string `json:"uris"`
		DNSNames              []string `json:"dnsNames"`
		PrivateKey            struct {
			Algorithm      string `json:"algorithm"`
			Size           int    `json:"size"`
			RotationPolicy string `json:"rotationPolicy"`
		} `json:"privateKey"`
		IssuerRef struct{ Name, Kind string } `json:"issuerRef"`
	} `json:"spec"`
}

// fresh makes a service called orders, and returns its folder.
func fresh(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "orders")
	paddock(t, "new", "orders", "-dir", dir, "-chassis", "../../..")
	return dir
}

// paddock runs the command as a user does.
func paddock(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"run", "-C", "..", "-trimpath", "-tags=grpcnotrace", "."}, args...)...)
	if i := slices.Index(args, "-chassis"); i >= 0 { // from the folder in which it runs
		cmd.Args[len(cmd.Args)-len(args)+i+1] = "../.."
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("paddock %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t *testing.T, dir string) (m manifests) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "deploy", "*.yaml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("got the files %q, %v; want two", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			m.add(t, document)
		}
	}
	return m
}

func (m *manifests) add(t *testing.T, document []byte) {
	t.Helper()
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		t.Fatal(err)
	}
	var into any
	switch kind.APIVersion + " " + kind.Kind {
	case "apps/v1 Deployment":
		into = &m.deployment
	case "v1 Service":
		m.services = append(m.services, corev1.Service{})
		into = &m.services[len(m.services)-1]
	case "policy/v1 PodDisruptionBudget":
		into = &m.budget
	case "autoscaling/v2 HorizontalPodAutoscaler":
		into = &m.scaler
	case "networking.k8s.io/v1 NetworkPolicy":
		into = &m.network
	case "monitoring.coreos.com/v1 PodMonitor":
		into = &m.monitor
	case "cert-manager.io/v1 Certificate":
		into = &m.cert
	default:
		t.Fatalf("there is no type for %+v", kind)
	}
	if err := yaml.UnmarshalStrict(document, into); err != nil {
		t.Errorf("%s: %v", kind.Kind, err)
	}
}

func TestManifestsFitTogether(t *testing.T) {
	m := read(t, fresh(t))
	pod := m.deployment.Spec.Template
	chosen := labels.Set(pod.Labels)
	selectors := map[string]*metav1.LabelSelector{
		"the deployment": m.deployment.Spec.Selector, "the budget": m.budget.Spec.Selector,
		"the network policy": &m.network.Spec.PodSelector, "the monitor": &m.monitor.Spec.Selector,
		"the spread": pod.Spec.TopologySpreadConstraints[0].LabelSelector,
	}
	for who, selector := range selectors {
		if s, err := metav1.LabelSelectorAsSelector(selector); err != nil || s.Empty() || !s.Matches(chosen) {
			t.Errorf("%s does not select the pods: %v, %v", who, s, err)
		}
	}
	ports := map[string]int32{}
	for _, p := range pod.Spec.Containers[0].Ports {
		ports[p.Name] = p.ContainerPort
	}
	names := map[string]bool{}
	for _, s := range m.services {
		if names[s.Name] {
			t.Errorf("two services are called %s", s.Name)
		}
		names[s.Name] = true
		if !labels.SelectorFromSet(s.Spec.Selector).Matches(chosen) {
			t.Errorf("service %s does not select the pods", s.Name)
		}
		if port := s.Spec.Ports[0]; ports[port.TargetPort.StrVal] == 0 {
			t.Errorf("service %s has the port %s, which the pod has not", s.Name, port.TargetPort.StrVal)
		}
	}
	// Others dial dns:///orders:9000, and balance over what they find.
	if s := m.services[0]; s.Name != "orders" || s.Spec.ClusterIP != corev1.ClusterIPNone || s.Spec.Ports[0].Port != 9000 {
		t.Errorf("got %s, %s, %d; want a headless service orders on 9000", s.Name, s.Spec.ClusterIP, s.Spec.Ports[0].Port)
	}
	if target := m.scaler.Spec.ScaleTargetRef; target.Name != m.deployment.Name || target.Kind != "Deployment" || m.deployment.Spec.Replicas != nil {
		t.Errorf("the scaler scales %+v, and the deployment has %v replicas of its own", target, m.deployment.Spec.Replicas)
	}
	if endpoint := m.monitor.Spec.PodMetricsEndpoints[0]; ports[endpoint.Port] == 0 || endpoint.Path != "/metrics" {
		t.Errorf("the monitor scrapes %+v", endpoint)
	}
	if uris := m.cert.Spec.URIs; len(uris) != 1 || !strings.HasSuffix(uris[0], "/orders") {
		t.Errorf("the certificate is for %q, want one identity that ends with the name", uris)
	}
	if m.cert.Spec.SecretName != pod.Spec.Volumes[0].Secret.SecretName {
		t.Errorf("the certificate is in %s, and the pod mounts %s", m.cert.Spec.SecretName, pod.Spec.Volumes[0].Secret.SecretName)
	}
}

func TestPodIsLockedDown(t *testing.T) {
	pod := read(t, fresh(t)).deployment.Spec.Template.Spec
	c := pod.Containers[0]
	for what, held := range map[string]bool{
		"runs as a user without rights":   *pod.SecurityContext.RunAsNonRoot && *pod.SecurityContext.RunAsUser > 0,
		"has the seccomp profile":         pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"has no token of Kubernetes":      !*pod.AutomountServiceAccountToken,
		"gains no rights":                 !*c.SecurityContext.AllowPrivilegeEscalation,
		"writes to no disk":               *c.SecurityContext.ReadOnlyRootFilesystem,
		"has no capabilities":             slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}),
		"is probed at /startupz":          c.StartupProbe.HTTPGet.Path == "/startupz" && c.StartupProbe.HTTPGet.Port.StrVal == "admin",
		"is probed at /livez":             c.LivenessProbe.HTTPGet.Path == "/livez" && c.LivenessProbe.HTTPGet.Port.StrVal == "admin",
		"is probed at /readyz":            c.ReadinessProbe.HTTPGet.Path == "/readyz" && c.ReadinessProbe.HTTPGet.Port.StrVal == "admin",
		"requests what it needs":          !c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero(),
		"has no limit of processor time":  c.Resources.Limits.Cpu().IsZero(),
		"loses no replica in a roll-out":  read(t, fresh(t)).deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() == 0,
		"gets no addresses by variables":  !*pod.EnableServiceLinks,
		"needs no hook before it stops":   c.Lifecycle == nil,
		"is not of an image without name": strings.Contains(c.Image, "orders"),
	} {
		if !held {
			t.Errorf("it is not true that the pod %s", what)
		}
	}
	limit := c.Resources.Limits.Memory()
	soft := resource.MustParse(strings.TrimSuffix(env(c)["GOMEMLIMIT"], "B"))
	if share := float64(soft.Value()) / float64(limit.Value()); share < 0.8 || share > 0.95 {
		t.Errorf("GOMEMLIMIT is %v of the limit, want about nine tenths", share)
	}
}

func env(c corev1.Container) map[string]string {
	values := map[string]string{}
	for _, v := range c.Env {
		values[v.Name] = v.Value
	}
	return values
}

// The times of the manifest pass the check of a start, and what would be wrong does not.
func TestPodStopsInTime(t *testing.T) {
	pod := read(t, fresh(t)).deployment.Spec.Template.Spec
	settings := env(pod.Containers[0])
	grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	if told, err := time.ParseDuration(settings["CHASSIS_GRACE_PERIOD"]); err != nil || told != grace {
		t.Errorf("the pod has %s, and the service is told %s", grace, settings["CHASSIS_GRACE_PERIOD"])
	}
	times := map[string]string{}
	for _, name := range []string{"CHASSIS_GRACE_PERIOD", "CHASSIS_DRAIN_DELAY", "CHASSIS_SHUTDOWN_TIMEOUT"} {
		times[name] = settings[name]
	}
	start := func() error {
		service := chassis.Service{Name: "orders", Setup: func(_ context.Context, app *chassis.App) error {
			app.Go("idle", func(ctx context.Context) error { <-ctx.Done(); return nil })
			return nil
		}}
		svc, err := chassistest.TryStart(t, service, chassistest.Options{Env: times})
		if err == nil {
			svc.Stop()
		}
		return err
	}
	times["CHASSIS_DRAIN_DELAY"] = "0s" // the test need not wait for it
	if err := start(); err != nil {
		t.Errorf("a start refuses the times: %v", err)
	}
	times["CHASSIS_DRAIN_DELAY"] = settings["CHASSIS_DRAIN_DELAY"]
	times["CHASSIS_GRACE_PERIOD"] = "10s"
	if err := start(); err == nil || !strings.Contains(err.Error(), "CHASSIS_GRACE_PERIOD") {
		t.Errorf("a pod that is killed too early: got %v", err)
	}
}

// The policy lets a caller connect if the contract lets it call a method, and else not.
func TestNetworkPolicyIsTheContract(t *testing.T) {
	for _, test := range []struct {
		name    string
		methods []string        // the callers of each, as options
		grpc    map[string]bool // by the name of a pod; "" is a client outside of the cluster
		http    map[string]bool
	}{
		{"names", []string{`callers: "web"`, `callers: "web" callers: "app"`},
			map[string]bool{"web": true, "app": true, "other": false, "": false},
			map[string]bool{"web": true, "app": true, "other": false, "": false}},
		{"users", []string{`callers: "web" callers: "user:*"`},
			map[string]bool{"web": true, "other": false, "": false},
			map[string]bool{"web": true, "other": true, "": true}},
		{"public", []string{`callers: "web"`, `public: true`},
			map[string]bool{"web": true, "other": true, "": true},
			map[string]bool{"web": true, "other": true, "": true}},
		{"nothing declared", []string{``},
			map[string]bool{"web": true, "other": true, "": false},
			map[string]bool{"web": true, "other": true, "": false}},
		{"a pattern", []string{`callers: "web-*"`},
			map[string]bool{"web-1": true, "": false},
			map[string]bool{"web-1": true, "": false}},
		{"another domain", []string{`callers: "spiffe://a.example/web"`},
			map[string]bool{"": true}, map[string]bool{"": true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy := policyOf(t, test.methods)
			for port, want := range map[string]map[string]bool{"grpc": test.grpc, "http": test.http} {
				for name, allowed := range want {
					if got := lets(t, policy, name, port); got != allowed {
						t.Errorf("%q on %s: got %t, want %t", name, port, got, allowed)
					}
				}
			}
			if lets(t, policy, "web", "admin") || !lets(t, policy, "orders", "admin") {
				t.Error("the admin port is not for the own replicas alone")
			}
		})
	}
}

func policyOf(t *testing.T, methods []string) *networkingv1.NetworkPolicy {
	t.Helper()
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("syntax = \"proto3\"; package orders.v1; import \"paddock/v1/options.proto\"; message M {} service OrdersService {\n")
	for i, options := range methods {
		fmt.Fprintf(&text, "rpc Do%d(M) returns (M) { option (paddock.v1.method) = {%s}; }\n", i, options)
	}
	text.WriteString("}\n")
	for name, content := range map[string]string{
		"proto/orders/v1/orders.proto": text.String(),
		"CONTRACT.md":                  "# The contract of orders\n\n`orders.v1.OrdersService/Do0`\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	paddock(t, "manifests", "-dir", dir)
	written, err := os.ReadFile(filepath.Join(dir, "deploy", "networkpolicy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	policy := &networkingv1.NetworkPolicy{}
	if err := yaml.UnmarshalStrict(written, policy); err != nil {
		t.Fatal(err)
	}
	return policy
}

// lets evaluates a policy for a client: a pod by the name of its service, in another namespace for
// all but the own service, or one outside of the cluster.
func lets(t *testing.T, policy *networkingv1.NetworkPolicy, name, port string) bool {
	t.Helper()
	for _, rule := range policy.Spec.Ingress {
		if !slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.StrVal == port }) {
			continue
		}
		if len(rule.From) == 0 {
			return true
		}
		for _, from := range rule.From {
			if name != "" && matches(t, from, name, policy.Name) {
				return true
			}
		}
	}
	return false
}

func matches(t *testing.T, from networkingv1.NetworkPolicyPeer, name, own string) bool {
	t.Helper()
	namespace := labels.Set{"kubernetes.io/metadata.name": "elsewhere"}
	if name == own {
		namespace = labels.Set{"kubernetes.io/metadata.name": "default"}
	}
	selects := func(selector *metav1.LabelSelector, set labels.Set) bool {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		return s.Matches(set)
	}
	if from.NamespaceSelector == nil && name != own {
		return false // pods of the policy's own namespace alone
	}
	if from.NamespaceSelector != nil && !selects(from.NamespaceSelector, namespace) {
		return false
	}
	return from.PodSelector == nil || selects(from.PodSelector, labels.Set{"app.kubernetes.io/name": name})
}
