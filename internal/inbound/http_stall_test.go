package inbound_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betmakers/paddock/internal/inbound"
)

var oneSecond = inbound.HTTPLimits{WriteTimeout: time.Second, BodyTimeout: time.Second, MaxBody: 100 << 20}

// The time of a write runs while it waits for the reader, and not while the handler has nothing to
// write: neither before the first byte, nor between two, nor on a connection between two requests.
// The server's own timeout is replaced.
func TestQuietAnswersAreNotCut(t *testing.T) {
	for name, change := range map[string]func(*http.Server){
		"no timeout of the server": func(*http.Server) {},
		"one of the server":        func(s *http.Server) { s.WriteTimeout = time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p protocol) {
				part := strings.Repeat("x", 40<<10)
				ends := make(chan error, 2)
				m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Trailer", "Sum")
					time.Sleep(time.Hour) // of a bubble
					w.WriteHeader(http.StatusEarlyHints)
					time.Sleep(time.Hour) // of a bubble
					for range 3 {
						_, _ = io.WriteString(w, part)
						w.(http.Flusher).Flush()
						time.Sleep(time.Hour) // of a bubble
					}
					_, err := io.WriteString(w, "end")
					w.Header().Set("Sum", "3")
					ends <- errors.Join(err, r.Context().Err())
				}), oneSecond, change)
				for range 2 {
					reused := false
					ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
					r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url("/"), nil)
					if err != nil {
						t.Fatal(err)
					}
					response := m.do(t, r)
					body, err := io.ReadAll(response.Body)
					if err != nil || len(body) != 3*len(part)+3 || response.Trailer.Get("Sum") != "3" {
						t.Errorf("read %d bytes, %v, with the trailer %v", len(body), err, response.Trailer)
					}
					if err := <-ends; err != nil {
						t.Errorf("the handler has %v", err)
					}
					time.Sleep(time.Hour) // of a bubble
					if m.value(t, requestsMetric, nil) == 2 && !reused && p.keepsAlive() {
						t.Error("the second request has a connection of its own")
					}
				}
			})
		})
	}
}

// large is an answer of 16 MiB in each way that a handler may write it.
func large(t *testing.T) map[string]func(w http.ResponseWriter, r *http.Request) error {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	text, name := string(content), filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]func(http.ResponseWriter, *http.Request) error{
		"one write": func(w http.ResponseWriter, _ *http.Request) error {
			_, err := w.Write(content)
			return err
		},
		"one string": func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, text)
			return err
		},
		"many writes": func(w http.ResponseWriter, _ *http.Request) error {
			for part := range slices.Chunk(content, 1000) {
				if _, err := w.Write(part); err != nil {
					return err
				}
			}
			return nil
		},
		"copied": func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(content)})
			return err
		},
		"content": func(w http.ResponseWriter, r *http.Request) error {
			http.ServeContent(w, r, "a.txt", time.Time{}, bytes.NewReader(content))
			return r.Context().Err()
		},
		"a file": func(w http.ResponseWriter, r *http.Request) error {
			http.ServeFile(w, r, name)
			return r.Context().Err()
		},
		"a copied file": func(w http.ResponseWriter, _ *http.Request) error {
			file, err := os.Open(name) //nolint:gosec // of the test
			if err != nil {
				return err
			}
			defer func() { _ = file.Close() }()
			w.Header().Set("Content-Length", "16777216")
			_, err = io.Copy(w, file)
			return err
		},
	}
}

// An answer may take as long as it likes while its reader reads, in whatever way it is written.
func TestSteadyReadersAreNotCut(t *testing.T) {
	for name, write := range large(t) {
		t.Run(name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p protocol) {
				ended := make(chan error, 1)
				m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ended <- write(w, r) }), oneSecond,
					func(s *http.Server) { s.WriteTimeout = time.Second })
				response := m.get(t, "/")
				total, buffer := 0, make([]byte, 512<<10)
				for {
					n, err := io.ReadFull(response.Body, buffer)
					total += n
					if err == io.EOF || err == io.ErrUnexpectedEOF && total == 16<<20 {
						break
					} else if err != nil {
						t.Fatalf("read %d bytes, %v", total, err)
					}
					time.Sleep(400 * time.Millisecond) // a steady reader that is slow, whose socket the system buffers
				}
				if err := <-ended; total != 16<<20 || err != nil {
					t.Errorf("read %d bytes; the handler has %v", total, err)
				}
			})
		})
	}
}

// A reader that takes nothing is cut after the timeout, whatever it is that waits for it.
func TestReadersThatTakeNothingAreCut(t *testing.T) {
	for name, write := range large(t) {
		t.Run(name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p protocol) {
				took := make(chan time.Duration, 1)
				m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					start := time.Now()
					_ = write(w, r)
					took <- time.Since(start)
				}), oneSecond)
				response := m.get(t, "/")
				if got := <-took; got < time.Second || got > time.Second+p.closing() {
					t.Errorf("the handler was held up for %v", got)
				}
				if n, err := io.Copy(io.Discard, response.Body); err == nil {
					t.Errorf("the reader took %d bytes for all of it", n)
				}
			})
		})
	}
}

// What net/http still has to send when the handler has returned has its time too.
func TestEndsThatAreNotTakenAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := serveBy(t, protocols[0], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 31 { // as much as the network keeps, less what is written around it
				_, _ = w.Write(make([]byte, 2048))
				w.(http.Flusher).Flush()
			}
			_, _ = w.Write(make([]byte, 2000))
		}), oneSecond)
		conn, err := m.listener.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		time.Sleep(time.Minute)
		if n, err := io.Copy(io.Discard, conn); err != nil || n < 60<<10 { // it ends, as the connection was closed
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		const window = 64 << 10
		m := serveBy(t, protocols[2], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, window))
			_, _ = w.Write(make([]byte, 2000))
		}), oneSecond)
		m.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: window}
		response := m.get(t, "/")
		time.Sleep(time.Minute)
		if n, err := io.Copy(io.Discard, response.Body); err == nil || n > window {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
}

// Trailers come, and an answer to HEAD has no body to wait with.
func TestHEADWithinTheWriteTimeout(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p protocol) {
		m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Hour) // of a bubble
			_, _ = w.Write(make([]byte, 1<<20))
		}), oneSecond)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, m.url("/"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if response := m.do(t, r); response.StatusCode != http.StatusOK {
			t.Errorf("answered %s", response.Status)
		}
	})
}

// A deadline that the handler sets itself holds alone.
func TestHandlersOwnWriteDeadline(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p protocol) {
		took := make(chan time.Duration, 1)
		m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			start := time.Now()
			if err := http.NewResponseController(w).SetWriteDeadline(start.Add(time.Minute)); err != nil {
				t.Error(err)
			}
			_, _ = w.Write(make([]byte, 16<<20))
			took <- time.Since(start)
		}), oneSecond)
		m.get(t, "/")
		if got := <-took; got < time.Minute || got > time.Minute+p.closing() {
			t.Errorf("cut after %v, want the handler's minute", got)
		}
	})
}

// slowBody gives a part each time, after a pause.
type slowBody struct {
	parts int
	pause time.Duration
	size  int
	ctx   context.Context
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.parts == 0 {
		return 0, io.EOF
	}
	b.parts--
	select {
	case <-time.After(b.pause):
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
	return copy(p, make([]byte, b.size)), nil
}

func (m *memoryServer) post(t *testing.T, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.url("/"), body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return m.do(t, r)
}

// An upload that moves is not cut, however long it takes: neither is one that waits because the
// handler does not read.
func TestSlowUploadsAreNotCut(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p protocol) {
		m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			half, err := io.CopyN(io.Discard, r.Body, 10_000)
			time.Sleep(time.Hour) // of a bubble
			rest, err2 := io.Copy(io.Discard, r.Body)
			if err := errors.Join(err, err2); err != nil || half+rest != 20_000 {
				t.Errorf("read %d and %d bytes, %v", half, rest, err)
			}
			time.Sleep(time.Hour) // of a bubble
			_, _ = io.WriteString(w, "done")
		}), oneSecond)
		for range 2 { // the connection is as good afterwards
			response := m.post(t, &slowBody{20, 900 * time.Millisecond, 1000, t.Context()}, "Expect", "100-continue")
			if body, err := io.ReadAll(response.Body); string(body) != "done" || err != nil {
				t.Errorf("answered %q, %v", body, err)
			}
			if !p.keepsAlive() {
				break
			}
		}
	})
}

func TestUploadsThatStandStillAreCut(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p protocol) {
		read := make(chan error, 1)
		m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			n, err := io.Copy(io.Discard, r.Body)
			if took := time.Since(start); n != 1100 || took < 10*time.Second || took > 11*time.Second {
				t.Errorf("cut after %v and %d bytes", took, n)
			}
			read <- err
		}), oneSecond)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		body, feed := io.Pipe()
		go func() {
			for range 11 {
				_, _ = feed.Write(make([]byte, 100))
				select {
				case <-time.After(time.Second - 1):
				case <-ctx.Done():
				}
			}
			<-ctx.Done()
			_ = feed.Close()
		}()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url("/"), body)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if response, err := m.Do(r); err == nil {
				_ = response.Body.Close()
			}
		}()
		var late net.Error
		if err := <-read; !errors.As(err, &late) || !late.Timeout() {
			t.Errorf("the read = %v, want a timeout", err)
		}
		cancel()
		synctest.Wait()
	})
}

// A body that the handler leaves has no part in how long its answer may take.
func TestLongAnswersToBodiesThatAreNotRead(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p protocol) {
		m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				_, _ = w.Write(make([]byte, 4000))
				w.(http.Flusher).Flush()
				time.Sleep(time.Hour) // of a bubble
			}
			if err := r.Context().Err(); err != nil {
				t.Errorf("the request ended: %v", err)
			}
		}), oneSecond)
		response := m.post(t, strings.NewReader("left"))
		if n, err := io.Copy(io.Discard, response.Body); n != 12_000 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
}
