package inbound_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/betmakers/paddock/internal/inbound"
)

// A handler finds every method that the writers of net/http have, by a type assertion and under the
// same name and type.
func TestWriterHasTheMethodsOfNetHTTP(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p protocol) {
		m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			bare := reflect.TypeOf(w.(interface{ Unwrap() http.ResponseWriter }).Unwrap())
			for i := range bare.NumMethod() {
				name := bare.Method(i).Name
				ours := reflect.ValueOf(w).MethodByName(name)
				if !ours.IsValid() {
					t.Errorf("%s has %s, and %T has not", bare, name, w)
				} else if theirs := reflect.Zero(bare).MethodByName(name); ours.Type() != theirs.Type() {
					t.Errorf("%s is %s, and was %s", name, ours.Type(), theirs.Type())
				}
			}
		}), inbound.HTTPLimits{})
		m.get(t, "/")
	})
}

// A handler that waits for CloseNotify, as gin's Stream does, streams, and learns that its caller
// has gone.
func TestCloseNotify(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p protocol) {
		told := false
		m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			gone := w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // what is tested
			_, _ = io.WriteString(w, "event")
			w.(http.Flusher).Flush()
			told = <-gone
		}), inbound.HTTPLimits{})
		response := m.get(t, "/")
		if _, err := io.ReadFull(response.Body, make([]byte, len("event"))); err != nil {
			t.Error(err)
		}
		_ = response.Body.Close()
		synctest.Wait()
		if !told {
			t.Error("the handler is not told that its caller has gone")
		}
	})
}

// Writers that are not net/http's need not have it.
func TestCloseNotifyWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{})
		ctx, cancel := context.WithCancel(t.Context())
		told := false
		handler := f.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			gone := w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // what is tested
			cancel()
			told = <-gone
		}), inbound.HTTPLimits{})
		handler.ServeHTTP(hijackable{ResponseWriter: httptest.NewRecorder()}, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
		if !told {
			t.Error("the handler is not told that its request has ended")
		}
	})
}

// hijackable is a writer of which no more is known than that it can be hijacked.
type hijackable struct {
	http.ResponseWriter
	http.Hijacker
}
