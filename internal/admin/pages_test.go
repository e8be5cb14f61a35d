package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/admin"
)

const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`

// sample has something in every part, and hostile text in every string that
// may come from outside.
func sample(now time.Time) admin.Snapshot {
	return admin.Snapshot{
		Service: "wallet", Version: hostile, Environment: "development", Instance: hostile,
		Identity: "spiffe://paddock.localhost/wallet", Phase: "serving", Ready: true, Started: now.Add(-17 * time.Minute),
		Addresses: []admin.KV{{Key: "gRPC", Value: hostile}},
		Build:     []admin.KV{{Key: "Go", Value: "go1.26.8"}},
		Methods: []admin.Method{
			{Name: "acme.v1.Wallet/Transfer", Kind: "unary", Deadline: 1500 * time.Millisecond, Callers: []string{"web", "bookmaker-*"},
				Routes: []string{"POST /v1/transfers"}, Traffic: &admin.Traffic{Calls: 1234567, Failed: 17, InFlight: 2}},
			{Name: "acme.v1.Wallet/Watch", Kind: "server stream"},
			{Name: "no-slash" + hostile},
		},
		Load: []admin.KV{{Key: "Running", Value: "3 of at most 100"}},
		Checks: []admin.Check{
			{Name: "ledger", State: "down", Hard: true, Since: now.Add(-time.Minute), LastRun: now.Add(-3 * time.Second), Duration: 12 * time.Millisecond, LastError: hostile},
			{Name: "rates", State: "unknown"},
			{Name: "wallet", State: "degraded", Hard: true, LastError: "failing open"},
		},
		Certificates: []admin.Certificate{
			{Use: "own", Subject: "CN=" + hostile, ID: "spiffe://paddock.localhost/wallet", Serial: "5a:91", NotBefore: now.Add(-17 * time.Minute), NotAfter: now.Add(43 * time.Minute)},
			{Use: "own", Subject: "CN=old", NotBefore: now.Add(-50 * time.Minute), NotAfter: now.Add(10 * time.Minute)},
			{Use: "trusted", Subject: "CN=gone", NotBefore: now.Add(-2 * time.Hour), NotAfter: now},
		},
		Workers:  []admin.Worker{{Name: "outbox", State: "restarting", Restarts: 3, LastError: hostile}},
		Settings: []admin.Setting{{Name: "DATABASE_URL", Value: hostile, Origin: "environment"}, {Name: "CHASSIS_LOG_LEVEL", Value: "info", Origin: "default", Meaning: "the least level"}},
		Events:   []admin.Event{{Time: now, Name: "identity", Detail: hostile, Duration: 4 * time.Millisecond, Error: hostile}},
	}
}

func TestIndexShowsTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := admin.New(admin.Config{Level: newLevel(), Snapshot: func() admin.Snapshot { return sample(time.Now()) }})
		defer h.Close()
		w := call(h, "GET", "/debug/", "")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("answered %d, %s", w.Code, w.Header().Get("Content-Type"))
		}
		page := w.Body.String()
		for _, want := range []string{
			`<span class="state good">serving</span><span class="state good">ready</span>`,
			"17 min ago", "spiffe://paddock.localhost/wallet",
			">acme.v1.Wallet<", ">Transfer<", "web, bookmaker-*", "1.5 s", "POST /v1/transfers", "1\u202f234\u202f567", `<td class="num bad">17`,
			`<span class="state bad">down</span>`, "for 1 min", "3 s ago", "12 ms", `<span class="state flat">unknown</span>`,
			"3 of at most 100", "in 43 min", "2000-01-01 00:43:00 UTC", `max="100" value="71"`, `<span class="state good">valid</span>`,
			`<span class="state warn">expiring</span>`, `<span class="state bad">expired</span>`,
			"check ledger is down, so the service is not ready", "check wallet is degraded: failing open",
			`<span class="state warn">degraded</span>`, "worker outbox is restarting", "own certificate CN=old is expiring (in 10 min)",
			"1 at their defaults", "00:00:00.000",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not contain %q", want)
			}
		}
		if t.Failed() {
			t.Log(page)
		}
	})
}

// The steps of a call stand on the page in their order, and without them there is no card.
func TestIndexShowsTheStepsOfACall(t *testing.T) {
	h := admin.New(admin.Config{Steps: []admin.KV{{Key: "observe", Value: "first & last"}, {Key: "handler", Value: hostile}}})
	defer h.Close()
	page := call(h, "GET", "/debug/", "").Body.String()
	_, card, found := strings.Cut(page, "A call&#39;s way")
	first, second := strings.Index(card, ">observe<"), strings.Index(card, ">handler<")
	if !found || first < 0 || second < first || !strings.Contains(card, "first &amp; last") || !strings.Contains(card, "&lt;script&gt;alert(1)") {
		t.Errorf("the page has no card of the steps:\n%s", page)
	}
	without := admin.New(admin.Config{})
	defer without.Close()
	if page := call(without, "GET", "/debug/", "").Body.String(); strings.Contains(page, "A call&#39;s way") {
		t.Errorf("the page has a card of no steps:\n%s", page)
	}
}

func TestPagesEscapeWhatComesFromOutside(t *testing.T) {
	h := admin.New(admin.Config{Service: hostile, Level: newLevel(), Snapshot: func() admin.Snapshot { return sample(time.Now()) }})
	defer h.Close()
	for _, path := range []string{"/debug/", "/debug/config", "/"} {
		w := call(h, "GET", path, "", "Accept", "text/html")
		if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), "<img") {
			t.Errorf("%s contains hostile markup:\n%s", path, w.Body)
		}
		if !strings.Contains(w.Body.String(), "&lt;script&gt;alert(1)") {
			t.Errorf("%s does not show the text itself", path)
		}
	}
}

func TestEveryAnswerForbidsScriptsFramesAndCaching(t *testing.T) {
	h := admin.New(admin.Config{Metrics: http.NotFoundHandler()})
	defer h.Close()
	for _, path := range []string{"/", "/metrics", "/debug/", "/debug/config", "/debug/status.json", "/debug/pprof/", "/nothing"} {
		header := call(h, "GET", path, "").Header()
		policy := header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "script-src") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
			"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestPagesNeedNothingFromElsewhere(t *testing.T) {
	h := admin.New(admin.Config{Level: newLevel(), Service: "wallet"})
	defer h.Close()
	page := call(h, "GET", "/debug/", "").Body.String()
	for _, forbidden := range []string{"<script", "style=", "<style", "onclick", "https://"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page contains %s", forbidden)
		}
	}
	css := call(h, "GET", "/debug/style.css", "")
	if css.Header().Get("Content-Type") != "text/css; charset=utf-8" || strings.Contains(css.Body.String(), "url(") {
		t.Errorf("style sheet: %s", css.Header().Get("Content-Type"))
	}
}

func TestIndexWithNothingKnown(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	page := call(h, "GET", "/debug/", "").Body.String()
	for _, want := range []string{"No method is registered", "No check is registered", "mutual TLS is off", "It cannot be changed at run time", "no flight recorder is running"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestStatusIsTheSnapshot(t *testing.T) {
	h := admin.New(admin.Config{Level: newLevel(), Snapshot: func() admin.Snapshot { return sample(time.Now()) }})
	defer h.Close()
	var got struct {
		Service string
		Methods []struct {
			Deadline int64 `json:"deadline_ns"`
		}
		LogLevel struct{ Level string } `json:"log_level"`
	}
	if err := json.Unmarshal(call(h, "GET", "/debug/status.json", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Service != "wallet" || got.Methods[0].Deadline != 1.5e9 || got.LogLevel.Level != "info" {
		t.Errorf("got %+v", got)
	}
}

func TestConfigAnswersAsTheCallerAccepts(t *testing.T) {
	h := admin.New(admin.Config{Snapshot: func() admin.Snapshot {
		return admin.Snapshot{Settings: []admin.Setting{{Name: "TOKEN", Value: "***", Origin: "environment"}, {Name: "CHASSIS_LOG_LEVEL", Value: "info", Origin: "default"}}}
	}})
	defer h.Close()
	want := "TOKEN              \"***\"   environment\nCHASSIS_LOG_LEVEL  \"info\"  default\n"
	if got := call(h, "GET", "/debug/config", "", "Accept", "*/*").Body.String(); got != want {
		t.Errorf("text:\n%swant:\n%s", got, want)
	}
	var asJSON struct{ Settings []admin.Setting }
	w := call(h, "GET", "/debug/config", "", "Accept", "application/json")
	if err := json.Unmarshal(w.Body.Bytes(), &asJSON); err != nil || len(asJSON.Settings) != 2 {
		t.Errorf("JSON: %v, %s", err, w.Body)
	}
	if page := call(h, "GET", "/debug/config", "", "Accept", "text/html,*/*").Body.String(); !strings.Contains(page, "Set here") {
		t.Errorf("page:\n%s", page)
	}
}

func TestPathsAndMethods(t *testing.T) {
	h := admin.New(admin.Config{Level: newLevel()})
	defer h.Close()
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 200}, {"HEAD", "/", 200}, {"POST", "/", 405}, {"GET", "/nothing", 404}, {"GET", "/metrics", 404},
		{"GET", "/debug", 301}, {"GET", "/debug/", 200}, {"HEAD", "/debug/", 200}, {"POST", "/debug/", 405}, {"GET", "/debug/nothing", 404},
		{"POST", "/debug/config", 405}, {"DELETE", "/debug/log-level", 405}, {"GET", "/debug/vars", 404},
	} {
		if got := call(h, tt.method, tt.path, "").Code; got != tt.want {
			t.Errorf("%s %s answered %d, want %d", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestIndexRefreshesOnlyWhenAsked(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	if got := call(h, "GET", "/debug/", "").Header().Get("Refresh"); got != "" {
		t.Errorf("refreshes unasked: %q", got)
	}
	if got := call(h, "GET", "/debug/?refresh", "").Header().Get("Refresh"); got != "5" {
		t.Errorf("asked, Refresh is %q", got)
	}
}
