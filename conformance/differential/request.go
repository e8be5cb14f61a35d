package differential

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// request is sent as it is: path and query are not escaped or cleaned.
type request struct {
	method, target string
	header         http.Header
	body           string
	chunked        bool // the body has no Content-Length
}

// String is what the entries of differences.txt match.
func (r request) String() string {
	text := r.method + " " + r.target
	for _, name := range []string{"Content-Type", "Accept", "TE"} {
		if value := r.header.Get(name); value != "" {
			text += " " + name + ":" + value
		}
	}
	if r.chunked {
		text += " chunked"
	}
	if r.body != "" {
		text += " " + strings.ReplaceAll(cut(r.body, 400), "\n", "\\n")
	}
	return text
}

func (r request) with(name, value string) request {
	r.header = r.header.Clone()
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Add(name, value)
	return r
}

func (r request) inChunks() request {
	r.chunked = true
	return r
}

func cut(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// answer is what came back, and what the handler had received.
type answer struct {
	status          int
	header, trailer http.Header
	body            []byte
	received        []string
}

// patience is how long an answer may take. Nothing that is compared takes long.
const patience = 20 * time.Second

// ask sends r to one side.
func (p *pair) ask(tb testing.TB, s side, r request) (*answer, error) {
	tb.Helper()
	id := strconv.FormatInt(p.sent.Add(1), 10)
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	path, query, _ := strings.Cut(r.target, "?")
	var body io.Reader
	if r.body != "" || r.chunked {
		body = bytes.NewReader([]byte(r.body))
	}
	req, err := http.NewRequestWithContext(ctx, r.method, "http://"+s.addr, body)
	if err != nil {
		return nil, err
	}
	req.URL = &url.URL{Scheme: "http", Host: s.addr, Opaque: path, RawQuery: query, ForceQuery: strings.Contains(r.target, "?")}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	req.Header.Set("From", id)
	if r.chunked {
		req.ContentLength = -1
	}
	resp, err := p.client.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	return &answer{resp.StatusCode, resp.Header, resp.Trailer, read, s.impl.take(id)}, nil
}

func text(err error) string {
	switch {
	case err == nil:
		return "fine"
	case strings.Contains(err.Error(), "broke off"):
		return "broke off"
	default:
		return "no answer"
	}
}
