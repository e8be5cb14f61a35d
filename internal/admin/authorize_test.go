package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/admin"
)

// explaining is a handler that tells what it was asked.
func explaining() *admin.Handler {
	return admin.New(admin.Config{
		Snapshot: func() admin.Snapshot { return sample(time.Now()) },
		Explain: func(method, id, subject string) (string, bool) {
			return fmt.Sprintf("method=%s id=%s subject=%s", method, id, subject), method == "acme.v1.Wallet/Transfer"
		},
	})
}

func TestExplain(t *testing.T) {
	h := explaining()
	defer h.Close()
	for _, tt := range []struct {
		query string
		code  int
		want  string
	}{
		{"method=acme.v1.Wallet/Transfer&caller=spiffe://example.org/web", 200, "method=acme.v1.Wallet/Transfer id=spiffe://example.org/web subject=\n"},
		{"method=/acme.v1.Wallet/Transfer&caller=web", 200, "method=acme.v1.Wallet/Transfer id=web subject=\n"},
		{"method=acme.v1.Wallet/Transfer&caller=user:alice", 200, "method=acme.v1.Wallet/Transfer id= subject=alice\n"},
		{"method=acme.v1.Wallet/Transfer&caller=user:alice&caller=web", 200, "method=acme.v1.Wallet/Transfer id=web subject=alice\n"},
		{"method=acme.v1.Wallet/Transfer&caller=+", 200, "method=acme.v1.Wallet/Transfer id= subject=\n"},
		{"method=acme.v1.Wallet/Transfer", 200, "method=acme.v1.Wallet/Transfer id= subject=\n"},
		{"method=acme.v1.Wallet/Transfer&caller=a&caller=b", 400, `"a" and "b"`},
		{"", 400, "give a method"},
		{"caller=web", 400, "give a method"},
		{"method=acme.v1.Wallet/Nothing", 404, `no method "acme.v1.Wallet/Nothing"`},
	} {
		w := call(h, "GET", "/debug/authorize?"+tt.query, "")
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: answered %d %q, want %d %q", tt.query, w.Code, w.Body, tt.code, tt.want)
		}
	}
}

// What is asked comes back as text: a browser runs nothing of it.
func TestExplainIsText(t *testing.T) {
	h := explaining()
	defer h.Close()
	for _, method := range []string{"acme.v1.Wallet/Transfer", "none"} {
		w := call(h, "GET", "/debug/authorize?method="+method+"&caller=%3Cscript%3E", "")
		if got := w.Header(); got.Get("Content-Type") != "text/plain; charset=utf-8" || got.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("answered with %v", got)
		}
	}
}

// Who may call what is for those who may see /debug.
func TestExplainIsGuarded(t *testing.T) {
	h := explaining()
	defer h.Close()
	if w := call(h, "GET", "/debug/authorize?method=acme.v1.Wallet/Transfer", "", "X-Forwarded-For", "10.0.0.1"); w.Code != http.StatusForbidden {
		t.Errorf("answered %d, want 403", w.Code)
	}
	if w := call(h, "POST", "/debug/authorize?method=acme.v1.Wallet/Transfer", ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: answered %d, want 405", w.Code)
	}
}

func TestExplainForm(t *testing.T) {
	h := explaining()
	defer h.Close()
	page := call(h, "GET", "/debug/", "").Body.String()
	for _, want := range []string{`action="/debug/authorize"`, "<option>acme.v1.Wallet/Transfer", `name="caller"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page", want)
		}
	}
}

func TestNothingToExplain(t *testing.T) {
	h := admin.New(admin.Config{Snapshot: func() admin.Snapshot { return sample(time.Now()) }})
	defer h.Close()
	if w := call(h, "GET", "/debug/authorize?method=a/b", ""); w.Code != http.StatusNotFound {
		t.Errorf("answered %d, want 404", w.Code)
	}
	if page := call(h, "GET", "/debug/", "").Body.String(); strings.Contains(page, "/debug/authorize") {
		t.Error("the page asks what cannot be explained")
	}
}
