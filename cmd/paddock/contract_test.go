package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withMethod writes a service with one method, whose options are given, and returns its folder.
func withMethod(t *testing.T, options string) string {
	t.Helper()
	return withService(t, "rpc Get(Message) returns (Message) {\n"+options+"\n}")
}

func withService(t *testing.T, methods string) string {
	t.Helper()
	dir := t.TempDir()
	writeTest(t, dir, "proto/shop/v1/shop.proto", `syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "buf/validate/validate.proto";
import "paddock/v1/options.proto";
service ShopService { `+methods+` }
message Message { string name = 1 [(buf.validate.field).string.min_len = 1]; }
`)
	return dir
}

func writeTest(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func policy(text string) string { return "option (paddock.v1.method) = {" + text + "};" }

func TestContract(t *testing.T) {
	code, stdout, stderr := paddock(t, "contract", withMethod(t, "option idempotency_level = IDEMPOTENT;"+
		policy(`timeout: {seconds: 2} callers: "web" criticality: CRITICALITY_CRITICAL slo: {availability: 99.9}`)))
	if code != 0 {
		t.Fatal(stderr)
	}
	_, line, _ := strings.Cut(stdout, "\n")
	want := "shop.v1.ShopService/Get unary 2s web 3 attempts critical 99.9 % available"
	if got := strings.Join(strings.Fields(line), " "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if code, _, stderr := paddock(t, "contract", withMethod(t, policy(`public: true callers: "web"`))); code != 1 || !strings.Contains(stderr, "shop.proto") {
		t.Errorf("a contradiction: got %d, %q", code, stderr)
	}
	if code, _, stderr := paddock(t, "contract", t.TempDir()); code != 1 || !strings.Contains(stderr, "no folder proto") {
		t.Errorf("an empty folder: got %d, %q", code, stderr)
	}
}

func TestContractDiff(t *testing.T) {
	for _, test := range []struct {
		name, old, now string
		breaking       bool
		want           string // empty for no change
	}{
		{"nothing", `callers: "web"`, `callers: "web"`, false, ""},
		{"another order", `callers: "web" callers: "app"`, `callers: "app" callers: "web"`, false, ""},
		{"a caller more", `callers: "web"`, `callers: "web" callers: "app"`, true, "more than before"},
		{"a caller less", `callers: "web" callers: "app"`, `callers: "web"`, true, "some refused"},
		{"another caller", `callers: "web"`, `callers: "app"`, true, "some of them new and some refused"},
		{"a pattern for a name", `callers: "web-1"`, `callers: "web-*"`, true, "more than before"},
		{"a name within the pattern", `callers: "web-*"`, `callers: "web-*" callers: "web-1"`, false, ""},
		{"no list any more", `callers: "web"`, ``, true, "more than before"},
		{"a list", ``, `callers: "web"`, true, "some refused"},
		{"a list of users for a trust domain", ``, `callers: "user:*"`, true, "some of them new and some refused"},
		{"public", `callers: "web"`, `public: true`, true, "more than before"},
		{"public no more", `public: true`, ``, true, "some refused"},
		{"one user to all", `callers: "user:a"`, `callers: "user:*"`, true, "more than before"},
		{"a foreign domain", `callers: "web"`, `callers: "web" callers: "spiffe://a.example/web"`, true, "more than before"},
		{"a longer deadline", `timeout: {seconds: 1}`, `timeout: {seconds: 2}`, true, "longer"},
		{"a shorter deadline", `timeout: {seconds: 2}`, `timeout: {seconds: 1}`, true, "shorter"},
		{"the default deadline, declared", ``, `timeout: {seconds: 10}`, false, ""},
		{"longer than the default", ``, `timeout: {seconds: 11}`, true, "longer"},
		{"a weaker promise", `slo: {availability: 99.9}`, `slo: {availability: 99}`, true, "objectives"},
		{"a better promise", `slo: {availability: 99}`, `slo: {availability: 99.9}`, false, "objectives"},
		{"may be repeated", ``, `retry: {safe: true}`, true, "repeated"},
		{"may not be repeated", `retry: {safe: true}`, ``, false, "repeated"},
		{"a smaller request", ``, `max_request_bytes: 10`, true, "largest request"},
		{"worth less", `criticality: CRITICALITY_CRITICAL`, ``, true, "criticality"},
	} {
		code, stdout, stderr := paddock(t, "contract", "diff", withMethod(t, policy(test.old)), withMethod(t, policy(test.now)))
		if (code == 1) != test.breaking || stderr != "" || !strings.Contains(stdout, test.want) || (test.want == "") != (stdout == "") {
			t.Errorf("%s: got %d, %q, %q; want %q, breaking: %t", test.name, code, stdout, stderr, test.want, test.breaking)
		}
		if strings.Contains(stdout, "BREAKING") != test.breaking {
			t.Errorf("%s: %q, breaking: %t", test.name, stdout, test.breaking)
		}
	}
}

func TestContractDiffOfMethods(t *testing.T) {
	one := withService(t, "rpc Get(Message) returns (Message);")
	two := withService(t, "rpc Get(Message) returns (Message); rpc Put(Message) returns (Message);")
	stream := withService(t, "rpc Get(Message) returns (stream Message);")
	for _, test := range []struct {
		old, now, want string
		code           int
	}{
		{one, two, "changed  shop.v1.ShopService/Put: added", 0},
		{two, one, "BREAKING shop.v1.ShopService/Put: removed", 1},
		{one, stream, "kind: unary -> server stream", 1},
	} {
		if code, stdout, _ := paddock(t, "contract", "diff", test.old, test.now); code != test.code || !strings.Contains(stdout, test.want) {
			t.Errorf("got %d, %q; want %d, %q", code, stdout, test.code, test.want)
		}
	}
}

// A revision of git is a version too. What the folder has now is the new one.
func TestContractDiffOfRevisions(t *testing.T) {
	dir := withMethod(t, policy(`callers: "web"`))
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v, %s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("add", "-A")
	git("commit", "-q", "-m", "one")
	if code, stdout, stderr := paddock(t, "contract", "diff", "main", "-dir", dir); code != 0 || stdout != "" {
		t.Errorf("unchanged: got %d, %q, %q", code, stdout, stderr)
	}
	writeTest(t, dir, "proto/shop/v1/shop.proto", strings.Replace(readTest(t, dir, "proto/shop/v1/shop.proto"), `"web"`, `"app"`, 1))
	if code, stdout, _ := paddock(t, "contract", "diff", "main", "-dir", dir); code != 1 || !strings.Contains(stdout, "callers") {
		t.Errorf("changed: got %d, %q", code, stdout)
	}
	for _, wrong := range []string{"nothing-of-this-name", "--output=/tmp/x"} {
		if code, _, stderr := paddock(t, "contract", "diff", "-dir", dir, "--", wrong); code == 0 || !strings.Contains(stderr, "neither") {
			t.Errorf("%s: got %d, %q", wrong, code, stderr)
		}
	}
}

func readTest(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The methods of a callee, whose contract is copied, are not the service's own.
func TestOwnMethods(t *testing.T) {
	dir := withMethod(t, policy(`callers: "web"`))
	writeTest(t, dir, "proto/stock/v1/stock.proto", `syntax = "proto3"; package stock.v1; service StockService { rpc Take(M) returns (M); } message M {}`)
	writeTest(t, dir, "CONTRACT.md", "# The contract of shop\n\n| `shop.v1.ShopService/Get` (unary) |\n")
	_, stdout, _ := paddock(t, "contract", "graph", dir)
	if want := "web -> shop: Get\n"; stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
}

func TestGraph(t *testing.T) {
	dir := withService(t, `rpc Get(Message) returns (Message) { `+policy(`public: true`)+` }
		rpc Put(Message) returns (Message) { `+policy(`callers: "web" callers: "user:*"`)+` }
		rpc Drop(Message) returns (Message) { `+policy(`callers: "web"`)+` }
		rpc List(Message) returns (Message);`)
	writeTest(t, dir, "CONTRACT.md", "# The contract of shop\n\n`shop.v1.ShopService/Get`\n")
	_, stdout, _ := paddock(t, "contract", "graph", dir)
	if want := "(any service) -> shop: List\n(anyone) -> shop: Get\nuser:* -> shop: Put\nweb -> shop: Put, Drop\n"; stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
	_, stdout, _ = paddock(t, "contract", "graph", "-mermaid", dir)
	want := "graph LR\n" +
		"  na[\"(any service)\"] -->|\"List\"| nb[\"shop\"]\n" +
		"  nc[\"(anyone)\"] -->|\"Get\"| nb\n" +
		"  nd[\"user:*\"] -->|\"Put\"| nb\n" +
		"  ne[\"web\"] -->|\"Put<br>Drop\"| nb\n"
	if stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
}

func TestManifestsCheck(t *testing.T) {
	dir := withMethod(t, policy(`callers: "web"`))
	if code, stdout, _ := paddock(t, "manifests", "-check", "-dir", dir); code != 1 || !strings.Contains(stdout, "paddock manifests") {
		t.Errorf("no file yet: got %d, %q", code, stdout)
	}
	for range 2 {
		if code, _, stderr := paddock(t, "manifests", "-dir", dir); code != 0 {
			t.Fatal(stderr)
		}
	}
	if code, _, _ := paddock(t, "manifests", "-check", "-dir", dir); code != 0 {
		t.Error("a new file is not what the contract asks for")
	}
}
