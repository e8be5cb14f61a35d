package guide

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTemperature(t *testing.T) {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"celsius": 21.5}`) }))
	defer provider.Close()
	w := &weather{client: provider.Client(), url: provider.URL}
	if got, err := w.temperature(t.Context()); err != nil || got != 21.5 {
		t.Errorf("got %v, %v, want 21.5", got, err)
	}
	provider.Close()
	if got, err := w.temperature(t.Context()); err == nil {
		t.Errorf("got %v without a provider, want an error", got)
	}
}
