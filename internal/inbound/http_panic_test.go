package inbound_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/betmakers/paddock/internal/inbound"
)

// A handler that fails halfway gives its caller no answer that could be taken for a whole one, and
// the request counts as failed in metric, log and span, however much of the answer has gone out and
// by whatever protocol.
func TestHandlersThatFailHalfway(t *testing.T) {
	const rows = "row 1\nrow 2\n"
	begin := map[string]func(http.ResponseWriter){
		"written": func(w http.ResponseWriter) { _, _ = io.WriteString(w, rows) },
		"flushed": func(w http.ResponseWriter) { _, _ = io.WriteString(w, rows); w.(http.Flusher).Flush() },
		"much":    func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat(rows, 500)) },
		"header":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) },
		"part of what is announced": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", strconv.Itoa(2*len(rows)))
			_, _ = io.WriteString(w, rows)
			w.(http.Flusher).Flush()
		},
		"all that is announced": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", strconv.Itoa(250*len(rows)))
			_, _ = io.WriteString(w, strings.Repeat(rows, 250)) // more than net/http keeps before the header
		},
	}
	ends := map[string]struct {
		end    func()
		what   string
		panics float64
	}{
		"panic":  {func() { panic(secret) }, "handler panicked", 1},
		"goexit": {runtime.Goexit, "handler ended its goroutine", 0},
	}
	for endName, tc := range ends {
		for name, write := range begin {
			t.Run(endName+"/"+name, func(t *testing.T) {
				eachProtocol(t, func(t *testing.T, p protocol) {
					spans := tracetest.NewSpanRecorder()
					f := newChain(t, testHandlers{}, recording(spans, always))
					m := f.serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						write(w)
						tc.end()
					}), oneSecond)
					response, err := m.Get(m.url("/"))
					if err == nil {
						body, err := io.ReadAll(response.Body)
						_ = response.Body.Close()
						if err == nil {
							t.Errorf("the caller got %d %q, complete", response.StatusCode, body)
						}
					}
					time.Sleep(time.Minute) // of a bubble
					m.wantValue(t, panicsMetric, labels{"where": "http"}, tc.panics)
					m.wantValue(t, requestsMetric, labels{"http_response_status_code": "500"}, 1)
					m.wantValue(t, requestsMetric, nil, 1)
					records := m.log.records(t)
					if len(records) != 2 || records[0]["msg"] != tc.what || records[1]["status"] != 500.0 || records[1]["level"] != "ERROR" {
						t.Errorf("logged %v", records)
					}
					if ended := spans.Ended(); len(ended) != 1 || ended[0].Status().Code != otelcodes.Error {
						t.Errorf("recorded %v", ended)
					}
				})
			})
		}
	}
}

// Before its first byte a handler that fails is answered for, informational headers or not.
func TestHandlersThatFailAtOnce(t *testing.T) {
	for name, begin := range map[string]func(http.ResponseWriter){
		"nothing":       func(http.ResponseWriter) {},
		"informational": func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) },
		"header set":    func(w http.ResponseWriter) { w.Header().Set("Content-Length", "7") },
	} {
		t.Run(name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p protocol) {
				m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					begin(w)
					panic(secret)
				}), oneSecond)
				response := m.get(t, "/")
				body, err := io.ReadAll(response.Body)
				if err != nil || response.StatusCode != 500 || !strings.Contains(string(body), "internal error, id ") || strings.Contains(string(body), secret) {
					t.Errorf("answered %d %s, %v", response.StatusCode, body, err)
				}
			})
		})
	}
}

// A handler that cuts its connection itself has not failed, and what it flushed before counts as
// sent.
func TestHandlersThatCut(t *testing.T) {
	for name, tc := range map[string]struct {
		begin  func(http.ResponseWriter)
		status string
	}{
		"at once": {func(http.ResponseWriter) {}, "500"},
		"halfway": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "row 1\n"); w.(http.Flusher).Flush() }, "200"},
	} {
		t.Run(name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, p protocol) {
				m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					tc.begin(w)
					panic(http.ErrAbortHandler)
				}), oneSecond)
				response, err := m.Get(m.url("/"))
				if err == nil {
					var body []byte
					body, err = io.ReadAll(response.Body)
					_ = response.Body.Close()
					if string(body) != "row 1\n" {
						t.Errorf("read %q", body)
					}
				}
				if err == nil {
					t.Error("the answer is complete")
				}
				time.Sleep(time.Minute) // of a bubble
				m.wantValue(t, panicsMetric, nil, 0)
				m.wantValue(t, requestsMetric, labels{"http_response_status_code": tc.status}, 1)
				if records := m.log.records(t); len(records) != 1 || records[0]["msg"] != "request" {
					t.Errorf("logged %v", records)
				}
			})
		})
	}
}

// upgraded asks for another protocol by hand, as a client of WebSocket does, and returns the
// connection with its answer.
func upgraded(t *testing.T, m *memoryServer) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := m.listener.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Upgrade") != "echo" {
		t.Fatalf("answered %v, %v", response, err)
	}
	return conn, reader
}

// takeOver is what libraries for WebSocket do.
func takeOver(t *testing.T, w http.ResponseWriter) (net.Conn, *bufio.ReadWriter) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		t.Error("the writer is no http.Hijacker")
		panic(http.ErrAbortHandler)
	}
	conn, buffers, err := hijacker.Hijack()
	if err != nil {
		t.Error(err)
		panic(http.ErrAbortHandler)
	}
	_, _ = buffers.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_ = buffers.Flush()
	return conn, buffers
}

// A connection that a handler takes over is its own, with no deadline left on it, and is observed
// like any other request.
func TestHijackedConnections(t *testing.T) {
	for name, server := range map[string]func(*http.Server){
		"no timeout of the server": func(*http.Server) {},
		"some of the server": func(s *http.Server) {
			s.WriteTimeout, s.ReadTimeout, s.IdleTimeout = time.Second, time.Second, time.Second
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				drained := make(chan struct{})
				routes := http.NewServeMux()
				routes.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
					conn, buffers := takeOver(t, w)
					defer func() { _ = conn.Close() }()
					go func() {
						<-inbound.Draining(r.Context())
						close(drained)
					}()
					for {
						line, err := buffers.ReadString('\n')
						if err != nil {
							return
						}
						time.Sleep(time.Hour)
						_, _ = buffers.WriteString(line)
						_ = buffers.Flush()
					}
				})
				m := serveBy(t, protocols[0], routes, oneSecond, server)
				conn, reader := upgraded(t, m)
				for range 3 {
					time.Sleep(time.Hour)
					_, _ = io.WriteString(conn, "hello\n")
					if line, err := reader.ReadString('\n'); line != "hello\n" || err != nil {
						t.Fatalf("read %q, %v", line, err)
					}
				}
				m.wantValue(t, requestsMetric, nil, 0)
				m.Drain()
				<-drained
				_ = conn.Close()
				time.Sleep(time.Minute)
				m.wantValue(t, requestsMetric, labels{"http_route": "/ws", "http_response_status_code": "101"}, 1)
				if line := m.log.only(t); line["status"] != 101.0 || line["level"] != "INFO" || line["duration_seconds"].(float64) < 3600 {
					t.Errorf("logged %v", line)
				}
			})
		})
	}
}

// A handler that panics with a connection of its own leaves none behind.
func TestHijackedConnectionOfAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := serveBy(t, protocols[0], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			takeOver(t, w)
			panic(secret)
		}), oneSecond)
		_, reader := upgraded(t, m)
		if _, err := reader.ReadByte(); err != io.EOF {
			t.Errorf("the connection has %v, want its end", err)
		}
		time.Sleep(time.Minute)
		m.wantValue(t, panicsMetric, labels{"where": "http"}, 1)
		m.wantValue(t, requestsMetric, labels{"http_response_status_code": "500"}, 1)
	})
}

// A handler finds in its writer what net/http's own has, and no more.
func TestInterfacesOfTheWriter(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p protocol) {
		interfaces := func(w http.ResponseWriter) (has [6]bool) {
			_, has[0] = w.(http.Hijacker)
			_, has[1] = w.(http.Flusher)
			_, has[2] = w.(http.Pusher)
			_, has[3] = w.(io.ReaderFrom)
			_, has[4] = w.(io.StringWriter)
			_, has[5] = w.(interface{ FlushError() error })
			return has
		}
		m := serveBy(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			own := w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
			if got, want := interfaces(w), interfaces(own); got != want {
				t.Errorf("the handler's writer has %v, the server's %v", got, want)
			}
			if pusher, ok := w.(http.Pusher); ok {
				if got, want := pusher.Push("/x", nil), own.(http.Pusher).Push("/x", nil); got == nil || got.Error() != want.Error() {
					t.Errorf("Push = %v, want the server's own %v", got, want)
				}
			}
		}), oneSecond)
		if response := m.get(t, "/"); response.StatusCode != http.StatusOK {
			t.Errorf("answered %s", response.Status)
		}
	})
}
