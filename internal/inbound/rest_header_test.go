package inbound_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/betmakers/paddock/internal/inbound"
)

func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip;q=0", "identity;q=0", ",;=", "gzip;q=1e300", "*", "x-gzip ; Q = .5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		accepts := inbound.AcceptsGzip([]string{value})
		if accepts && !strings.Contains(strings.ToLower(value), "gzip") && !strings.Contains(value, "*") {
			t.Errorf("%q does not name it", value)
		}
		if inbound.AcceptsGzip([]string{"gzip;q=0, " + strings.ReplaceAll(strings.ToLower(value), "gzip", "br")}) {
			t.Errorf("%q overrules its exclusion", value)
		}
	})
}

func FuzzIfNoneMatch(f *testing.F) {
	for _, seed := range []string{`"a"`, `W/"a"`, `"a", "b"`, "*", `"`, "W/", `"a"b"c"`, " , ", `"a","b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if inbound.MatchesTag(list, `"tag"`) && !strings.Contains(list, `"tag"`) && !strings.Contains(list, "*") {
			t.Errorf("%q matches what it does not have", list)
		}
		if !inbound.MatchesTag(`"other", W/"tag", `+list, `"tag"`) {
			t.Errorf("what follows a tag hides it: %q", list)
		}
	})
}

// No origin of another host gets in, however it is written.
func FuzzCORSOrigins(f *testing.F) {
	for _, seed := range []string{"https://a.example.com", "https://example.com", "https://evil.example/.example.com", "https://evil.example#.example.com", "https://a@.example.com"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		if inbound.AllowsOrigin("https://app.example.com", origin) && origin != "https://app.example.com" {
			t.Errorf("%q is taken for another", origin)
		}
		if !inbound.AllowsOrigin("https://*.example.com", origin) {
			return
		}
		if u, err := url.Parse(origin); err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Host, ".example.com") || u.User != nil {
			t.Errorf("%q is taken for a part of example.com", origin)
		}
	})
}

// What is compressed is the same text again, from many goroutines.
func TestCompressorsAreReused(t *testing.T) {
	t.Parallel()
	compress, _ := inbound.NewGzips()
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			text := bytes.Repeat([]byte{byte('a' + n)}, 10_000)
			for range 20 {
				out := compress(text)
				if out == nil {
					continue // no compressor was free
				}
				r, err := gzip.NewReader(bytes.NewReader(out))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) {
					t.Errorf("got %.20q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	if compress(bytes.Repeat([]byte("x"), 10_000)) == nil {
		t.Error("compressors are lost")
	}
}

// Compressors have a bound, and what does not get smaller stays as it is.
func TestCompressionHasABound(t *testing.T) {
	t.Parallel()
	compress, exhaust := inbound.NewGzips()
	if out := compress([]byte("3f9a81c2")); out != nil {
		t.Errorf("8 bytes became %d", len(out))
	}
	exhaust()
	if compress(bytes.Repeat([]byte("x"), 10_000)) != nil {
		t.Error("there are more compressors than the bound")
	}
}
