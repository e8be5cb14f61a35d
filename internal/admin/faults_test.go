package admin_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/fault"
)

// anything takes every fault.
type anything struct{}

func (anything) CheckFault(*fault.Rule) error { return nil }
func (anything) SetFaults([]*fault.Rule)      {}

const aFault = `{"method":"*","abort":"UNAVAILABLE","for":"10m"}`

func TestFaultsAreSetByThoseWhoMay(t *testing.T) {
	set := fault.NewSet(anything{}, slog.New(slog.DiscardHandler))
	h := admin.New(admin.Config{Faults: set, MayChange: func(r *http.Request) error {
		if r.Header.Get("Test-May") == "" {
			return errors.New("because of the moon")
		}
		return nil
	}})
	defer h.Close()
	if w := call(h, "POST", "/debug/faults", aFault); w.Code != http.StatusForbidden || w.Body.String() != "because of the moon\n" || len(set.Active()) != 0 {
		t.Errorf("who may not: answered %d %s", w.Code, w.Body)
	}
	if w := call(h, "POST", "/debug/faults", aFault, "Test-May", "1"); w.Code != http.StatusOK || len(set.Active()) != 1 || set.Active()[0].By != "127.0.0.1:5000" {
		t.Errorf("who may: answered %d %s", w.Code, w.Body)
	}
	if w := call(h, "POST", "/debug/faults", aFault, "Test-May", "1", "X-Forwarded-For", "1.2.3.4"); w.Code != http.StatusForbidden {
		t.Errorf("whom the guard refuses: answered %d %s", w.Code, w.Body)
	}
	if w := call(h, "DELETE", "/debug/faults", ""); w.Code != http.StatusOK || len(set.Active()) != 0 {
		t.Errorf("the end is open to all: answered %d %s", w.Code, w.Body)
	}
	set.Close()
	if w := call(h, "POST", "/debug/faults", aFault, "Test-May", "1"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("when the service stops: answered %d %s", w.Code, w.Body)
	}
}

func TestNoFaults(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	for _, method := range []string{"GET", "POST", "DELETE"} {
		if w := call(h, method, "/debug/faults", ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: answered %d, want 404", method, w.Code)
		}
	}
	if page := call(h, "GET", "/debug/", "").Body.String(); strings.Contains(page, "Injected") {
		t.Error("the page has a card of faults where there are none")
	}
}

func TestFaultsStandOnThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := admin.New(admin.Config{Snapshot: func() admin.Snapshot {
			return admin.Snapshot{Faults: []admin.Fault{{ID: 7, Rule: "10% of x/Y: reset", By: "anna", Until: time.Now().Add(5 * time.Minute)}, {ID: 8}}}
		}})
		defer h.Close()
		page := call(h, "GET", "/debug/", "").Body.String()
		for _, want := range []string{"faults are injected on purpose", `<td class="num">7`, "10% of x/Y: reset", "anna", "in 5 min", "when it is removed"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not contain %q:\n%s", want, page)
			}
		}
	})
}
