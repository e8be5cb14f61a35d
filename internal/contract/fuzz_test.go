package contract_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/betmakers/paddock/internal/contract"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// grammar is what the option callers takes, said another way.
var grammar = regexp.MustCompile(`\A(user:[!-~]+|(spiffe://[a-z0-9._-]+/)?[A-Za-z0-9._*-]+(/[A-Za-z0-9._*-]+)*)\z`)

// dots are segments of a path that lead elsewhere.
var dots = regexp.MustCompile(`(\A|/)\.\.?(/|\z)`)

func grammatical(text string) bool {
	path := text
	switch {
	case strings.HasPrefix(text, "user:"):
		path = ""
	case strings.HasPrefix(text, "spiffe://"):
		_, path, _ = strings.Cut(text[len("spiffe://"):], "/")
	}
	return len(text) <= 2048 && grammar.MatchString(text) && !dots.MatchString(path)
}

// matches is what a pattern means, by regular expressions.
func matches(pattern string, c contract.Caller, domain string) bool {
	if subject, ok := strings.CutPrefix(pattern, "user:"); ok {
		return c.Subject != "" && (subject == "*" || glob(subject, c.Subject))
	}
	if strings.HasPrefix(pattern, "spiffe://") {
		return glob(pattern, c.ID)
	}
	path, ok := strings.CutPrefix(c.ID, "spiffe://"+domain+"/")
	return ok && path != "" && domain != "" && !strings.Contains(domain, "/") && glob(pattern, path)
}

func glob(pattern, text string) bool {
	expression := `(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `[^/]*`) + `\z`
	return regexp.MustCompile(expression).MatchString(text)
}

func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{"", "web", "*", "a*b*c", "ns/*/sa/*", "spiffe://other.org/*", "spiffe://*/web", "user:alice", "user:*", "user:a*/b", "..", "spiffe://../web", "we b"} {
		for _, id := range []string{"", "spiffe://example.org/web", "spiffe://other.org/ns/bets/sa/abbc", "spiffe://example.org/"} {
			f.Add(pattern, id, "alice", "example.org")
		}
		f.Add(pattern, "spiffe:///web", "a/b", "")
	}
	f.Fuzz(func(t *testing.T, text, id, subject, domain string) {
		p, err := contract.ParsePattern(text)
		if (err == nil) != grammatical(text) {
			t.Fatalf("%q: the grammar says %v, the parser %v", text, grammatical(text), err)
		}
		c := contract.Caller{ID: id, Subject: subject}
		if err != nil {
			if p != (contract.Pattern{}) || p.Match(c, domain) {
				t.Errorf("%q is refused and names somebody", text)
			}
			return
		}
		if p.String() != text {
			t.Errorf("%q reads %q", text, p)
		}
		if p.Match(contract.Caller{}, domain) {
			t.Errorf("%q matches nobody's call", text)
		}
		// What was drawn, and what a mind set on getting in would try next: the pattern itself, and
		// it in the own domain.
		for _, c := range []contract.Caller{c, {ID: id}, {Subject: subject}, {ID: text}, {ID: "spiffe://" + domain + "/" + text}, {ID: "spiffe://" + domain + "/" + id}, {Subject: strings.TrimPrefix(text, "user:")}} {
			checkMatch(t, p, c, domain)
		}
	})
}

func checkMatch(t *testing.T, p contract.Pattern, c contract.Caller, domain string) {
	t.Helper()
	text := p.String()
	got := p.Match(c, domain)
	if want := matches(text, c, domain); got != want {
		t.Errorf("%q against %+v in %q: %v, want %v", text, c, domain, got, want)
	}
	if !got || strings.HasPrefix(text, "user:") {
		return
	}
	named := "spiffe://" + domain + "/"
	if strings.HasPrefix(text, "spiffe://") {
		named = ""
	}
	if strings.Count(c.ID, "/") != strings.Count(named+text, "/") {
		t.Errorf("%q in %q matches %q, over a slash", text, domain, c.ID)
	}
	if its, of := trustDomain(c.ID), trustDomain(named+text); its != of {
		t.Errorf("%q in %q matches %q, of another trust domain", text, domain, c.ID)
	}
}

func trustDomain(id string) string {
	return strings.SplitN(id, "/", 4)[2]
}

func FuzzCompile(f *testing.F) {
	for _, w := range wrong {
		b, err := proto.Marshal(policy(f, w.policy))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte{}, []byte{}, int64(0))
		f.Add([]byte{}, b, []byte(`{"timeout": "1s"}`), int64(time.Second))
		f.Add([]byte(`{"slo": {"availability": 99, "latency": {"within": "1s", "ratio": 9}}}`), []byte(`{"retry": {"safe": true}}`), b, int64(time.Hour))
	}
	f.Add([]byte(`{"callers": ["web", "user:*"]}`), []byte(`{"public": true, "maxRequestBytes": 7}`), []byte(`{"criticality": 3, "retry": {"maxAttempts": 5}}`), int64(1))

	desc := declare(f, "timeout: {seconds: 1}", rpc{name: "Place", policy: "timeout: {seconds: 1}"}, rpc{name: "Watch", serverStreams: true, policy: "timeout: {seconds: 1}"})
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(desc.ServiceName))
	if err != nil {
		f.Fatal(err)
	}
	linked := d.(protoreflect.ServiceDescriptor)

	f.Fuzz(func(t *testing.T, service, method, override []byte, timeout int64) {
		// The registry forgets nothing, so that one service takes all options in turn.
		proto.SetExtension(linked.Options(), paddockv1.E_Service, draw(t, service))
		proto.SetExtension(linked.Methods().Get(0).Options(), paddockv1.E_Method, draw(t, method))
		proto.SetExtension(linked.Methods().Get(1).Options(), paddockv1.E_Method, draw(t, method))
		defaults := contract.Defaults{Timeout: time.Duration(max(timeout, 0)), Overrides: contract.Overrides{
			desc.ServiceName + "/Place": draw(t, override),
			desc.ServiceName + "/Watch": draw(t, override),
		}}
		unary, streams, err := contract.Compile(desc, defaults)
		if len(unary) != 1 || len(streams) != 1 {
			t.Fatalf("%d unary methods and %d streams, want one of each", len(unary), len(streams))
		}
		for _, line := range lines(err) {
			if !strings.HasPrefix(line, fileOf(desc)+": "+desc.ServiceName) && !strings.HasPrefix(line, "CHASSIS_POLICY_OVERRIDES: "+desc.ServiceName+"/") {
				t.Errorf("the error does not say where: %q", line)
			}
		}
		if err != nil {
			return
		}
		checkSane(t, unary[0])
		checkSane(t, streams[0])
	})
}

// draw reads a policy from its wire form or from JSON.
func draw(t *testing.T, b []byte) *paddockv1.Policy {
	p := &paddockv1.Policy{}
	if proto.Unmarshal(b, p) == nil {
		return p
	}
	if protojson.Unmarshal(b, p) != nil {
		t.Skip("no policy")
	}
	return p
}

func checkSane(t *testing.T, m *contract.Method) {
	t.Helper()
	share := func(v float64) bool { return v >= 0 && v < 100 }
	o := m.Objectives
	for what, ok := range map[string]bool{
		"timeout":                    m.Timeout >= 0,
		"availability":               share(o.Availability),
		"latency":                    share(o.Latency) && o.Within >= 0 && (o.Latency > 0) == (o.Within > 0),
		"latency within timeout":     m.Timeout == 0 || o.Within <= m.Timeout,
		"latency of unary alone":     m.Unary() || o.Latency == 0,
		"criticality":                m.Criticality >= contract.Sheddable && m.Criticality <= contract.Critical,
		"public without callers":     !m.Public || len(m.Callers) == 0,
		"largest request":            m.MaxRequest >= 0,
		"attempts":                   m.Repeatable && m.MaxAttempts >= 2 && m.MaxAttempts <= 5 || !m.Repeatable && m.MaxAttempts >= 0 && m.MaxAttempts <= 1,
		"hedges of repeatable alone": m.HedgeAfter >= 0 && (m.Repeatable || m.HedgeAfter == 0),
		"retries of unary alone":     m.Unary() || m.MaxAttempts == 0,
		"overridden":                 m.Overridden,
		"description":                m.Describe() != "",
		"nobody reaches only public": m.Authorize(contract.Caller{}, own) == m.Public,
	} {
		if !ok {
			t.Errorf("%s is wrong: %+v", what, *m)
		}
	}
	for _, p := range m.Callers {
		if again, err := contract.ParsePattern(p.String()); err != nil || again != p {
			t.Errorf("caller %q is read again as %q, %v", p, again, err)
		}
	}
	for _, c := range callers {
		if m.Explain(c.Caller, own).Allowed != m.Authorize(c.Caller, own) {
			t.Errorf("%s: the answer and its reason differ", c.name)
		}
	}
}

func FuzzParseOverrides(f *testing.F) {
	for _, text := range []string{``, `{}`, `null`, `{"a.B/C": {"timeout": "2s"}}`, `{"a.B/C": null}`, `{"a.B/C": {}, "a.B/C": {"public": true}}`,
		`{"": {"callers": ["web"]}}`, `{"a.B/C": {"slo": {"availability": "NaN", "latency": {"within": "1s", "ratio": 99}}, "retry": {"safe": true}}}`, `[]`, `{"a": {"no": 1}}`, `{"\ud800": {}}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := contract.ParseOverrides(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "overrides must be a JSON object") && !strings.HasPrefix(err.Error(), "override of ") {
				t.Errorf("the error does not say of what: %q", err)
			}
			return
		}
		names := slices.Sorted(maps.Keys(got))
		if unused := got.Unused(names); unused != nil {
			t.Errorf("%q are unused though all are methods", unused)
		}
		if unused := got.Unused(nil); !slices.Equal(unused, names) {
			t.Errorf("of %q, %q are unused though there is no method", names, unused)
		}
		again, err := contract.ParseOverrides(written(t, got))
		if err != nil {
			t.Fatalf("what was read does not read when it is written again: %v", err)
		}
		if !maps.EqualFunc(got, again, func(a, b *paddockv1.Policy) bool { return proto.Equal(a, b) }) {
			t.Errorf("read\n\t%v\nand again\n\t%v", got, again)
		}
		_, _, _ = contract.Compile(describe("a.B", rpc{name: "C"}), contract.Defaults{Overrides: got})
	})
}

func written(t *testing.T, overrides contract.Overrides) string {
	raw := map[string]json.RawMessage{}
	for name, p := range overrides {
		b, err := protojson.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		raw[name] = b
	}
	b, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
