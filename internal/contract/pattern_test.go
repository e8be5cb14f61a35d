package contract_test

import (
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/contract"
)

const own = "example.org" // the own trust domain

func TestParsePattern(t *testing.T) {
	good := []string{
		"web", "*", "bookmaker-*", "ns/bets/sa/web", "ns/*/sa/*", "A.b_c-9", "...", ".web", "w..b", "**", "*a*b*",
		"spiffe://example.org/web", "spiffe://a-b_c.9/ns/*/sa/*", "spiffe://example.org/*",
		"user:alice@example.org", "user:*", "user:auth0|5f7", "user:https://id.example.org/a", "user:user:", "user:spiffe://x",
		strings.Repeat("a", 2048),
	}
	for _, text := range good {
		p, err := contract.ParsePattern(text)
		if err != nil || p.String() != text {
			t.Errorf("%.40q is read as %.40q, %v", text, p, err)
		}
	}

	bad := []string{
		"", " ", "we b", " web", "web ", "web\n", "web\x00", "wéb", "ｗeb", "web\x7f", "\xff",
		"/", "/web", "web/", "ns//web", ".", "..", "../web", "ns/../web", "ns/./web",
		"spiffe:web", "spiffe:/example.org/web", "spiffe://", "spiffe:///web", "spiffe://example.org", "spiffe://example.org/",
		"spiffe://example.org//web", "spiffe://example.org/web/", "spiffe://example.org/../web", "spiffe://*/web", "spiffe://*.org/web",
		"spiffe://Example.org/web", "spiffe://example.org:443/web", "spiffe://user@example.org/web", "spiffe://example.org/we%62",
		"spiffe://example.org/web?a", "spiffe://example.org/web#a", "spiffe://ex%61mple.org/web", "SPIFFE://example.org/web", "http://example.org/web",
		"user:", "user: ", "user:al ice", "user:ali\tce", "user:alicé", "User:alice", "group:admins",
		"we[b]", "web+", "(web)", "web|batch", "w?b", `w\eb`, "^web$", "!web",
		strings.Repeat("a", 2049), "user:" + strings.Repeat("a", 2048),
	}
	for _, text := range bad {
		p, err := contract.ParsePattern(text)
		if err == nil {
			t.Errorf("%.40q is taken as %.40q", text, p)
			continue
		}
		if p != (contract.Pattern{}) {
			t.Errorf("%.40q is refused, and its pattern names somebody all the same", text)
		}
		if strings.ContainsAny(err.Error(), "\n\r\x00\x7f") {
			t.Errorf("the error of %.40q carries control characters: %q", text, err)
		}
	}
}

func TestPatternMatch(t *testing.T) {
	id := func(path string) contract.Caller { return contract.Caller{ID: "spiffe://" + own + path} }
	other := func(path string) contract.Caller { return contract.Caller{ID: "spiffe://other.org" + path} }
	user := func(subject string) contract.Caller { return contract.Caller{Subject: subject} }
	tests := []struct {
		pattern string
		yes, no []contract.Caller
	}{
		{"web",
			[]contract.Caller{id("/web"), {ID: id("/web").ID, Subject: "alice"}},
			[]contract.Caller{
				{}, id(""), id("/"), id("/Web"), id("/webs"), id("/we"), id("/web/"), id("//web"), id("/a/web"), id("/web/a"), id("/web\n"),
				other("/web"), other("/example.org/web"), {ID: "web"}, {ID: "/web"}, {ID: "spiffe://web"}, {ID: "example.org/web"},
				{ID: "spiffe://example.org.evil/web"}, {ID: "spiffe://evil.example.org/web"}, {ID: "spiffe://EXAMPLE.ORG/web"}, {ID: "SPIFFE://example.org/web"},
				{ID: "https://example.org/web"}, {ID: " spiffe://example.org/web"}, user("web"), user("spiffe://example.org/web"),
			}},
		{"*",
			[]contract.Caller{id("/web"), id("/a.b-c_d")},
			[]contract.Caller{{}, id(""), id("/"), id("/ns/web"), id("/web/"), other("/web"), user("web"), user("*")}},
		{"bookmaker-*",
			[]contract.Caller{id("/bookmaker-"), id("/bookmaker-7"), id("/bookmaker-a-b")},
			[]contract.Caller{id("/bookmaker"), id("/xbookmaker-7"), id("/bookmaker-7/admin"), id("/bookmaker-/"), other("/bookmaker-7")}},
		{"*-web",
			[]contract.Caller{id("/-web"), id("/a-web"), id("/a-web-web")},
			[]contract.Caller{id("/web"), id("/a/b-web"), id("/a-web/")}},
		{"ns/*/sa/*",
			[]contract.Caller{id("/ns/bets/sa/web"), id("/ns/b/sa/")},
			[]contract.Caller{id("/ns/sa/web"), id("/ns/bets/web/sa/web"), id("/ns/bets/sa/web/x"), other("/ns/bets/sa/web")}},
		{"a*b*c",
			[]contract.Caller{id("/abc"), id("/abbcc"), id("/abcbc"), id("/aXbYc")},
			[]contract.Caller{id("/ab"), id("/acb"), id("/ab/c"), id("/a/bc"), id("/abcd")}},
		{"*a/*b",
			[]contract.Caller{id("/a/b"), id("/aa/bb"), id("/xa/ab")},
			[]contract.Caller{id("/ab"), id("/a/x/b"), id("/x/b"), id("/a/b/b")}},
		{"spiffe://other.org/web",
			[]contract.Caller{other("/web")},
			[]contract.Caller{{}, id("/web"), other("/webs"), other(""), {ID: "spiffe://other.org.evil/web"}, user("spiffe://other.org/web")}},
		{"spiffe://other.org/*",
			[]contract.Caller{other("/web"), other("/batch")},
			[]contract.Caller{id("/web"), other("/ns/web"), other(""), {ID: "spiffe://other.orgx/web"}}},
		{"spiffe://" + own + "/web",
			[]contract.Caller{id("/web")},
			[]contract.Caller{other("/web"), id("/batch")}},
		{"user:alice",
			[]contract.Caller{user("alice"), {ID: "spiffe://other.org/web", Subject: "alice"}},
			[]contract.Caller{{}, user("bob"), user("Alice"), user("alice2"), user("user:alice"), id("/alice"), id("/user:alice"), {ID: "user:alice"}, {ID: "alice"}}},
		{"user:*",
			[]contract.Caller{user("alice"), user("auth0|a/b"), user("https://id.example.org/alice"), user(" "), user("é\n"), user("*")},
			[]contract.Caller{{}, id("/web"), id("/user:x"), {ID: "user:alice"}}},
		{"user:a*/x",
			[]contract.Caller{user("a/x"), user("ab/x")},
			[]contract.Caller{user("a/b/x"), user("b/x")}},
	}
	for _, test := range tests {
		p := patterns(t, test.pattern)[0]
		for _, c := range test.yes {
			if !p.Match(c, own) {
				t.Errorf("%s does not match %+v", test.pattern, c)
			}
		}
		for _, c := range test.no {
			if p.Match(c, own) {
				t.Errorf("%s matches %+v", test.pattern, c)
			}
		}
	}
}

// Without an own trust domain a bare name is nobody's, whatever an identity looks like.
func TestNamesNeedATrustDomain(t *testing.T) {
	for _, text := range []string{"web", "*", "*/*"} {
		p := patterns(t, text)[0]
		for _, id := range []string{"", "web", "/web", "spiffe://", "spiffe:///web", "spiffe://example.org/web"} {
			if p.Match(contract.Caller{ID: id}, "") {
				t.Errorf("%s matches %q without a trust domain", text, id)
			}
		}
	}
}

func TestZeroPatternMatchesNobody(t *testing.T) {
	var zero contract.Pattern
	for _, c := range []contract.Caller{{}, {ID: "spiffe://example.org/web"}, {ID: "spiffe://example.org/"}, {Subject: "alice"}} {
		for _, domain := range []string{"", own} {
			if zero.Match(c, domain) {
				t.Errorf("the zero pattern matches %+v in %q", c, domain)
			}
		}
	}
	if zero.String() != "" {
		t.Errorf("the zero pattern reads %q", zero)
	}
}

// A matcher that tries every way to share letters among the stars does not come back from these.
func TestHostileLengths(t *testing.T) {
	stars := patterns(t, strings.Repeat("a*", 1023)+"b")[0]
	letters := strings.Repeat("a", 8<<10)
	if stars.Match(contract.Caller{ID: "spiffe://" + own + "/" + letters}, own) {
		t.Error("a text without b matches")
	}
	if !stars.Match(contract.Caller{ID: "spiffe://" + own + "/" + letters + "b"}, own) {
		t.Error("a text with b does not match")
	}
	half := patterns(t, "*"+strings.Repeat("a", 1024)+"b")[0]
	if half.Match(contract.Caller{ID: "spiffe://" + own + "/" + letters}, own) {
		t.Error("a text without b matches")
	}
	if slashes := patterns(t, strings.Repeat("*/", 1023)+"*")[0]; !slashes.Match(contract.Caller{ID: "spiffe://" + own + "/" + strings.Repeat("a/", 1023) + "a"}, own) {
		t.Error("as many slashes do not match")
	}
}
