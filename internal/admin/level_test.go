package admin_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/admin"
)

func newLevel() *slog.LevelVar { return new(slog.LevelVar) }

// call sends a request as from this machine.
func call(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:8081"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestLogLevelChangesForGood(t *testing.T) {
	for _, tt := range []struct{ name, method, query, body, contentType string }{
		{"form", "POST", "", "level=debug&for=", "application/x-www-form-urlencoded"},
		{"curl -d debug", "PUT", "", "debug", "application/x-www-form-urlencoded"},
		{"capitals and a line end", "PUT", "", "DEBUG\n", "text/plain"},
		{"JSON", "PUT", "", `{"level": "debug"}`, "application/json"},
		{"query", "PUT", "?level=debug", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			level := newLevel()
			h := admin.New(admin.Config{Level: level})
			defer h.Close()
			w := call(h, tt.method, "/debug/log-level"+tt.query, tt.body, "Content-Type", tt.contentType)
			if w.Code != http.StatusOK || w.Body.String() != "debug\n" || level.Level() != slog.LevelDebug {
				t.Fatalf("answered %d %q, level %v", w.Code, w.Body, level)
			}
		})
	}
}

func TestLogLevelRefusesWhatItCannotRead(t *testing.T) {
	for _, tt := range []struct{ name, query, body, says string }{
		{"nothing", "", "", `level "": expected debug, info, warn or error`},
		{"unknown level", "", "verbose", `level "verbose": expected debug, info, warn or error`},
		{"unknown field", "", "level=debug&during=10m", `unknown field "during": expected level`},
		{"unknown JSON field", "", `{"level":"debug","during":"10m"}`, `unknown field "during"`},
		{"half a JSON object", "", `{"level":`, "cannot read the JSON"},
		{"two JSON objects", "", `{"level":"debug"}{"level":"info"}`, "more than one JSON value"},
		{"two levels", "?level=info", "level=debug", "level is given twice"},
		{"no duration", "", "level=debug&for=soon", `for "soon": expected a duration such as 10m`},
		{"number without a unit", "", "level=debug&for=10", `for "10": expected a duration`},
		{"negative", "", "level=debug&for=-1m", "expected a duration"},
		{"too short", "", "level=debug&for=1ms", "from 1s to 24h"},
		{"too long", "", "level=debug&for=25h", "from 1s to 24h"},
		{"bad query", "?level=%25zz;x", "", "cannot read the query"},
		{"too large", "", "level=" + strings.Repeat("x", 2000), "at most 1024 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			level := newLevel()
			h := admin.New(admin.Config{Level: level})
			defer h.Close()
			w := call(h, "POST", "/debug/log-level"+tt.query, tt.body)
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("answered %d %q, want 400 that says %q", w.Code, w.Body, tt.says)
			}
			if level.Level() != slog.LevelInfo {
				t.Errorf("a refused change set the level to %v", level)
			}
		})
	}
}

func TestTemporaryLevelGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := newLevel()
		h := admin.New(admin.Config{Level: level})
		defer h.Close()
		w := call(h, "PUT", "/debug/log-level", "level=debug&for=10m")
		if got, want := w.Body.String(), "debug until 2000-01-01T00:10:00Z, then info\n"; got != want {
			t.Errorf("answered %q, want %q", got, want)
		}
		expectLevel(t, level, 10*time.Minute-1, slog.LevelDebug)
		expectLevel(t, level, 1, slog.LevelInfo)
		if got := call(h, "GET", "/debug/log-level", "").Body.String(); got != "info\n" {
			t.Errorf("afterwards it shows %q", got)
		}
	})
}

func TestLastOfSeveralTemporaryLevelsGoesBackToTheLastingOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := newLevel()
		h := admin.New(admin.Config{Level: level})
		defer h.Close()
		call(h, "PUT", "/debug/log-level", "level=debug&for=10m")
		expectLevel(t, level, 5*time.Minute, slog.LevelDebug)
		call(h, "PUT", "/debug/log-level", "level=error&for=10m")
		expectLevel(t, level, 6*time.Minute, slog.LevelError) // the first timer would have ended
		expectLevel(t, level, 4*time.Minute, slog.LevelInfo)
	})
}

func TestLastingChangeEndsTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := newLevel()
		h := admin.New(admin.Config{Level: level})
		defer h.Close()
		call(h, "PUT", "/debug/log-level", "level=debug&for=10m")
		call(h, "PUT", "/debug/log-level", "warn")
		expectLevel(t, level, time.Hour, slog.LevelWarn)
	})
}

func TestCloseEndsTheTimerAndFurtherChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := newLevel()
		h := admin.New(admin.Config{Level: level})
		call(h, "PUT", "/debug/log-level", "level=debug&for=10m")
		h.Close()
		h.Close()
		expectLevel(t, level, time.Hour, slog.LevelDebug)
		if w := call(h, "PUT", "/debug/log-level", "info"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("a change after Close answered %d, want 503", w.Code)
		}
		expectLevel(t, level, 0, slog.LevelDebug)
	})
}

func expectLevel(t *testing.T, level *slog.LevelVar, after time.Duration, want slog.Level) {
	t.Helper()
	time.Sleep(after)
	synctest.Wait()
	if level.Level() != want {
		t.Errorf("at %v the level is %v, want %v", time.Now().UTC().Format(time.TimeOnly), level, want)
	}
}

func TestEachChangeOfTheLevelIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := newLevel()
		var log bytes.Buffer
		h := admin.New(admin.Config{Level: level, Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: level}))})
		defer h.Close()
		call(h, "PUT", "/debug/log-level", "level=error&for=1m")
		time.Sleep(time.Minute)
		synctest.Wait()
		call(h, "PUT", "/debug/log-level", "error")
		call(h, "PUT", "/debug/log-level", "warn") // said although neither level lets info pass

		type line struct{ Level, Msg, Old, New, Caller string }
		var got []line
		for dec := json.NewDecoder(&log); ; {
			var l line
			if err := dec.Decode(&l); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			got = append(got, l)
		}
		want := []line{
			{"INFO", "log level changed", "info", "error", "127.0.0.1:5000"},
			{"INFO", "log level changed", "error", "info", "timer"},
			{"INFO", "log level changed", "info", "error", "127.0.0.1:5000"},
			{"WARN", "log level changed", "error", "warn", "127.0.0.1:5000"},
		}
		if !slices.Equal(got, want) {
			t.Errorf("logged\n%v\nwant\n%v", got, want)
		}
	})
}

func TestChangeIsLoggedWithTheIdentityOfTheCaller(t *testing.T) {
	leaf := &x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "paddock.localhost", Path: "/operator"}}}
	for _, tt := range []struct {
		name string
		tls  tls.ConnectionState
		want string
	}{
		{"verified", tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}},
			"10.1.2.3:5000 spiffe://paddock.localhost/operator"},
		{"not verified", tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, "10.1.2.3:5000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			h := admin.New(admin.Config{
				Level: newLevel(), Logger: slog.New(slog.NewJSONHandler(&log, nil)), Allow: func(*http.Request) bool { return true },
			})
			defer h.Close()
			r := httptest.NewRequest("PUT", "/debug/log-level", strings.NewReader("debug"))
			r.RemoteAddr, r.TLS = "10.1.2.3:5000", &tt.tls
			h.ServeHTTP(httptest.NewRecorder(), r)
			var line struct{ Caller string }
			if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Caller != tt.want {
				t.Errorf("logged caller %q (%v), want %q", line.Caller, err, tt.want)
			}
		})
	}
}

func TestLogLevelAnswersInTheFormAsked(t *testing.T) {
	h := admin.New(admin.Config{Level: newLevel()})
	defer h.Close()
	if w := call(h, "GET", "/debug/log-level", "", "Accept", "application/json"); w.Body.String() != "{\"level\":\"info\"}\n" {
		t.Errorf("JSON: %q", w.Body)
	}
	w := call(h, "POST", "/debug/log-level", "level=warn&for=10m", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/debug/#log-level" {
		t.Errorf("form: %d to %q, want 303 back to the page", w.Code, w.Header().Get("Location"))
	}
	page := call(h, "GET", "/debug/", "").Body.String()
	for _, want := range []string{`<strong class="mono">warn</strong>`, `back to <strong class="mono">info</strong>`, "<option selected>warn</option>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not contain %s", want)
		}
	}
}

func TestLogLevelWithoutALevel(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	for _, method := range []string{"GET", "PUT"} {
		if w := call(h, method, "/debug/log-level", "debug"); w.Code != http.StatusNotFound {
			t.Errorf("%s answered %d, want 404", method, w.Code)
		}
	}
}

func FuzzLogLevel(f *testing.F) {
	for _, body := range []string{"debug", "level=warn&for=10m", `{"level":"error","for":"1h"}`, `{"level":`, "level=%zz", "{}{}", "a=b;c", "for=9999999h&level=info"} {
		f.Add("", body)
		f.Add("level=info", body)
	}
	known := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	f.Fuzz(func(t *testing.T, query, body string) {
		level := newLevel()
		level.Set(42) // no change can set it
		h := admin.New(admin.Config{Level: level})
		defer h.Close()
		r := httptest.NewRequest("PUT", "/debug/log-level", strings.NewReader(body))
		r.URL.RawQuery, r.RemoteAddr, r.Host = query, "127.0.0.1:5000", "localhost"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusOK && slices.Contains(known, level.Level()):
		case w.Code == http.StatusBadRequest && level.Level() == 42 && w.Body.Len() > 1:
		default:
			t.Errorf("query %q body %q: answered %d, level %v", query, body, w.Code, level)
		}
	})
}
