package contract_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/contract"
)

// The callers of the tables below, in the order of the columns.
var callers = []struct {
	name string
	contract.Caller
}{
	{"nobody", contract.Caller{}},
	{"web of the own domain", contract.Caller{ID: "spiffe://example.org/web"}},
	{"bookmaker of the own domain", contract.Caller{ID: "spiffe://example.org/bookmaker-7"}},
	{"web of another domain", contract.Caller{ID: "spiffe://other.org/web"}},
	{"batch of another domain", contract.Caller{ID: "spiffe://other.org/batch"}},
	{"web of a domain that begins like the own", contract.Caller{ID: "spiffe://example.org.evil/web"}},
	{"the own domain without a path", contract.Caller{ID: "spiffe://example.org"}},
	{"the own domain with an empty path", contract.Caller{ID: "spiffe://example.org/"}},
	{"alice", contract.Caller{Subject: "alice"}},
	{"a user named like a service", contract.Caller{Subject: "spiffe://example.org/web"}},
	{"alice by web of the own domain", contract.Caller{ID: "spiffe://example.org/web", Subject: "alice"}},
	{"bob by web of the own domain", contract.Caller{ID: "spiffe://example.org/web", Subject: "bob"}},
	{"alice by web of another domain", contract.Caller{ID: "spiffe://other.org/web", Subject: "alice"}},
	{"bob by batch of another domain", contract.Caller{ID: "spiffe://other.org/batch", Subject: "bob"}},
}

// Who may call what: one row a method, one column a caller, y for yes.
var cells = []struct {
	mesh    string // with example.org as the own trust domain
	offMesh string // without one: mutual TLS is off
	policy  string
}{
	// nobody | own: web bookmaker | other: web batch evil | no path | users: alice, service-like |
	// both: own own other other
	{`- yy --- -- -- yy --`, `y yy yyy yy yy yy yy`, ``},
	{`- yy --- -- -- yy --`, `y yy yyy yy yy yy yy`, `public: false`},
	{`y yy yyy yy yy yy yy`, `y yy yyy yy yy yy yy`, `public: true`},
	{`- y- --- -- -- yy --`, `- -- --- -- -- -- --`, `callers: "web"`},
	{`- yy --- -- -- yy --`, `- -- --- -- -- -- --`, `callers: "*"`},
	{`- -y --- -- -- -- --`, `- -- --- -- -- -- --`, `callers: "bookmaker-*"`},
	{`- -- --- -- -- -- --`, `- -- --- -- -- -- --`, `callers: "batch"`},
	{`- yy --- -- -- yy --`, `- -- --- -- -- -- --`, `callers: "web" callers: "bookmaker-*"`},
	{`- y- --- -- -- yy --`, `- y- --- -- -- yy --`, `callers: "spiffe://example.org/web"`},
	{`- -- y-- -- -- -- y-`, `- -- y-- -- -- -- y-`, `callers: "spiffe://other.org/web"`},
	{`- -- yy- -- -- -- yy`, `- -- yy- -- -- -- yy`, `callers: "spiffe://other.org/*"`},
	{`- -- --- -- y- y- y-`, `- -- --- -- y- y- y-`, `callers: "user:alice"`},
	{`- -- --- -- yy yy yy`, `- -- --- -- yy yy yy`, `callers: "user:*"`},
	{`- y- --- -- y- yy y-`, `- -- --- -- y- y- y-`, `callers: "web" callers: "user:alice"`},
	{`- -- -y- -- -- -y -y`, `- -- -y- -- -- -y -y`, `callers: "spiffe://other.org/batch" callers: "batch" callers: "user:bob"`},
}

func TestAuthorize(t *testing.T) {
	for _, row := range cells {
		m := one(t, declare(t, row.policy, rpc{name: "Place"}), contract.Defaults{})
		for domain, want := range map[string]string{own: row.mesh, "": row.offMesh} {
			want = strings.ReplaceAll(want, " ", "")
			if len(want) != len(callers) {
				t.Fatalf("%q: the row has %d cells for %d callers", row.policy, len(want), len(callers))
			}
			for i, c := range callers {
				t.Run(fmt.Sprintf("%s/%s/%s", row.policy, domain, c.name), func(t *testing.T) {
					testCell(t, m, c.Caller, domain, want[i] == 'y')
				})
			}
		}
	}
}

func testCell(t *testing.T, m *contract.Method, c contract.Caller, domain string, want bool) {
	if got := m.Authorize(c, domain); got != want {
		t.Errorf("allowed is %v, want %v", got, want)
	}
	v := m.Explain(c, domain)
	if v.Allowed != want {
		t.Errorf("explained as allowed %v, want %v", v.Allowed, want)
	}
	if refusedUnknown := !want && c == (contract.Caller{}); v.Anonymous != refusedUnknown {
		t.Errorf("refused for proving nothing is %v, want %v", v.Anonymous, refusedUnknown)
	}
	if strings.Contains(v.Why, " may call ") != want || strings.Contains(v.Why, " may not call ") == want {
		t.Errorf("the reason does not say %v: %s", want, v.Why)
	}
	for _, part := range []string{c.ID, m.Name, m.Describe(), domain} {
		if !strings.Contains(v.Why, part) {
			t.Errorf("the reason does not name %q: %s", part, v.Why)
		}
	}
}

// The reason is logged, and what a token says is not: its subject may be somebody's address.
func TestExplain(t *testing.T) {
	m := contract.Method{Name: "b.Bets/Place", Callers: patterns(t, "web", "user:bob")}
	tests := []struct {
		caller contract.Caller
		domain string
		want   string
	}{
		{contract.Caller{}, own,
			`a caller without identity may not call b.Bets/Place: it is open to web, user:bob (own trust domain: example.org)`},
		{contract.Caller{ID: "spiffe://example.org/web"}, own,
			`"spiffe://example.org/web" may call b.Bets/Place: it is open to web, user:bob (own trust domain: example.org)`},
		{contract.Caller{Subject: "eve"}, own,
			`the user of a bearer token may not call b.Bets/Place: it is open to web, user:bob (own trust domain: example.org)`},
		{contract.Caller{ID: "spiffe://other.org/web", Subject: "bob"}, own,
			`"spiffe://other.org/web" for the user of a bearer token may call b.Bets/Place: it is open to web, user:bob (own trust domain: example.org)`},
		{contract.Caller{ID: "spiffe://example.org/web\n"}, own,
			`"spiffe://example.org/web\n" may not call b.Bets/Place: it is open to web, user:bob (own trust domain: example.org)`},
		{contract.Caller{}, "",
			`a caller without identity may not call b.Bets/Place: it is open to web, user:bob (no own trust domain is set, so names without one match no caller, and a method without callers is open to all)`},
	}
	for _, test := range tests {
		if got := m.Explain(test.caller, test.domain).Why; got != test.want {
			t.Errorf("%+v is told\n\t%s\nwant\n\t%s", test.caller, got, test.want)
		}
	}
}

// A method whose callers are none by a mistake in the code that builds it is not open to all.
func TestZeroCallersAreNobody(t *testing.T) {
	m := contract.Method{Callers: make([]contract.Pattern, 1)}
	for _, c := range callers {
		if m.Authorize(c.Caller, own) || m.Authorize(c.Caller, "") {
			t.Errorf("%s may call", c.name)
		}
	}
}
