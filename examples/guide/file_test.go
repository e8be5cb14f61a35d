package guide

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
)

func TestReports(t *testing.T) {
	svc := chassistest.Start(t, chassis.Service{Name: "tote", Setup: func(_ context.Context, app *chassis.App) error {
		registerReports(app, func(day string) (io.ReadCloser, error) {
			if day != "today" {
				return nil, errors.New("no such day")
			}
			return io.NopCloser(strings.NewReader("race,stake\n")), nil
		})
		return nil
	}}, chassistest.Options{Env: map[string]string{"CHASSIS_HTTP_TLS": "true"}})
	for path, want := range map[string]int{"today": http.StatusOK, "tomorrow": http.StatusNotFound} {
		answer, err := svc.HTTPAs("web").Get("https://rest/reports/" + path)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%s: got %s, want %d", path, answer.Status, want)
		}
	}
	answer, err := svc.HTTPAs("mail").Get("https://rest/reports/today")
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusForbidden {
		t.Errorf("mail: got %s, want 403", answer.Status)
	}
}
