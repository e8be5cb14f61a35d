package admin

import (
	"fmt"
	"net/http"
	"strings"
)

// explainer answers /debug/authorize?method=package.Service/Method&caller=…: whether a caller may
// call a method, and why. A caller is a SPIFFE ID, the name of a service of the own trust domain,
// or user:SUBJECT; two of them, as a client certificate and a bearer token make, are given by
// repeating the parameter. None is a caller without an identity.
type explainer struct {
	explain func(method, id, subject string) (string, bool)
}

func (e explainer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.explain == nil {
		http.Error(w, "there is nothing to explain: this service knows of no methods", http.StatusNotFound)
		return
	}
	query := r.URL.Query()
	method := strings.TrimPrefix(strings.TrimSpace(query.Get("method")), "/")
	if method == "" {
		http.Error(w, "give a method, as in /debug/authorize?method=package.Service/Method&caller=spiffe://example.org/web; "+
			"a caller may be user:SUBJECT too, and none is a caller without an identity", http.StatusBadRequest)
		return
	}
	id, subject, err := identityOf(query["caller"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, known := e.explain(method, id, subject)
	if !known {
		http.Error(w, fmt.Sprintf("there is no method %q: /debug/status.json lists them", method), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(w, text) // an error means that the reader has gone
}

func identityOf(given []string) (id, subject string, err error) {
	for _, text := range given {
		text = strings.TrimSpace(text)
		into := &id
		if user, ok := strings.CutPrefix(text, "user:"); ok {
			into, text = &subject, user
		}
		if text != "" && *into != "" {
			return "", "", fmt.Errorf("a caller has one identity and one subject at most, and these are two: %q and %q", *into, text)
		}
		*into += text
	}
	return id, subject, nil
}
