package inbound_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// hangs bounds what must end by itself.
const hangs = 30 * time.Second

// ended fails the test where nothing comes, instead of hanging.
func ended[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(hangs):
		t.Fatal("it never ended")
		panic("unreachable")
	}
}

func sendForEver(s grpc.ServerStream) error {
	big := &message{}
	big.ProtoReflect().SetUnknown(append([]byte{0x9a, 0x06, 0x80, 0x80, 0x02}, make([]byte, 32<<10)...)) // field 99
	for {
		if err := s.SendMsg(big); err != nil {
			return err
		}
	}
}

func receiveForEver(s grpc.ServerStream) error {
	for {
		if err := s.RecvMsg(new(message)); err != nil {
			return err
		}
	}
}

// The time of a stream ends a handler that is blocked in Send or Recv, whoever has set it.
func TestDeadlineEndsABlockedStream(t *testing.T) {
	for place, admits := range map[string]func(*setup){"admission off": func(*setup) {}, "admission on": limited} {
		for name, tc := range map[string]struct {
			method  string
			blocked func(grpc.ServerStream) error
		}{
			"sending":              {serverStream, sendForEver},
			"sending both ways":    {bidiStream, sendForEver},
			"receiving":            {clientStream, receiveForEver},
			"receiving both ways":  {bidiStream, receiveForEver},
			"waiting":              {serverStream, func(s grpc.ServerStream) error { <-s.Context().Done(); return s.Context().Err() }},
			"sending from another": {bidiStream, func(s grpc.ServerStream) error { return <-inGoroutine(s, sendForEver) }},
		} {
			for transport, conn := range map[string]func(*testing.T, *fixture) grpc.ClientConnInterface{
				"gRPC": func(t *testing.T, f *fixture) grpc.ClientConnInterface { return f.serve(t) },
				"REST": func(_ *testing.T, f *fixture) grpc.ClientConnInterface { return f.Conn(inbound.RESTConfig{}) },
			} {
				for whose, callers := range map[string]time.Duration{"of the method": 0, "of the method, before the caller's": time.Minute} {
					t.Run(strings.Join([]string{transport, name, whose, place}, "/"), func(t *testing.T) {
						leakcheck.Check(t)
						results := make(chan error, 1)
						f := newChain(t, testHandlers{stream: func(s grpc.ServerStream) error {
							err := tc.blocked(s)
							results <- err
							return err
						}}, admits, policy(t, `{"timeout":"0.05s"}`))
						ctx, cancel := context.WithCancel(t.Context())
						if callers > 0 {
							ctx, cancel = context.WithTimeout(t.Context(), callers)
						}
						defer cancel()
						desc := &grpc.StreamDesc{ClientStreams: tc.method != serverStream, ServerStreams: tc.method != clientStream}
						stream, err := conn(t, f).NewStream(ctx, desc, tc.method)
						if err != nil {
							t.Fatal(err)
						}
						if tc.method == serverStream {
							_ = stream.CloseSend()
						}
						if err := ended(t, results); code(err) != codes.DeadlineExceeded {
							t.Errorf("the handler got %v, want DEADLINE_EXCEEDED", err)
						}
						if err := drainStream(stream); status.Code(err) != codes.DeadlineExceeded {
							t.Errorf("the caller got %v, want DEADLINE_EXCEEDED", err)
						}
						f.settle(t)
						f.wantValue(t, callsMetric, labels{"rpc_status_code": "DEADLINE_EXCEEDED"}, 1)
					})
				}
			}
		}
	}
}

// code is the code of a status or of a context's error.
func code(err error) codes.Code {
	if st, ok := status.FromError(err); ok {
		return st.Code()
	}
	return status.FromContextError(err).Code()
}

func inGoroutine(s grpc.ServerStream, run func(grpc.ServerStream) error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- run(s) }()
	return result
}

// A goroutine that a handler leaves behind in RecvMsg does not change how the call ends.
func TestDeadlineSparesAStreamThatEnds(t *testing.T) {
	f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
		inGoroutine(s, receiveForEver)
		return s.SendMsg(new(message))
	}}, limited, policy(t, `{"timeout":"60s"}`))
	for range 200 {
		if err := drainStream(openStream(t, conn, bidiStream)); err != nil {
			t.Fatal(err)
		}
	}
	f.settle(t)
}

// served is a REST server with a stream of each kind, in the shape that the gateway gives them.
func served(t *testing.T, handler func(grpc.ServerStream) error, limits inbound.HTTPLimits, changes ...func(*setup)) (*fixture, string) {
	t.Helper()
	leakcheck.Check(t)
	f := newChain(t, testHandlers{stream: handler}, changes...)
	mux, conn := http.NewServeMux(), f.Conn(inbound.RESTConfig{})
	mux.HandleFunc("GET /list", func(w http.ResponseWriter, r *http.Request) {
		if inbound.TakeTimeout(w, r) {
			list(w, r, conn)
		}
	})
	mux.HandleFunc("POST /sum", func(w http.ResponseWriter, r *http.Request) {
		if inbound.TakeTimeout(w, r) {
			sum(w, r, conn)
		}
	})
	server := httptest.NewServer(f.HTTP(mux, limits))
	t.Cleanup(server.Close)
	return f, server.URL
}

// list is a server stream.
func list(w http.ResponseWriter, r *http.Request, conn grpc.ClientConnInterface) {
	stream, err := conn.NewStream(r.Context(), &grpc.StreamDesc{ServerStreams: true}, serverStream)
	if err == nil {
		_, err = stream.Header()
	}
	if err != nil {
		inbound.WriteError(w, r, err, gateway.HTTPStatusFromCode)
		return
	}
	for {
		if err := stream.RecvMsg(new(message)); err == io.EOF {
			return
		} else if err != nil {
			_, _ = io.WriteString(w, status.Code(err).String())
			return
		}
		_, _ = io.WriteString(w, "message\n")
		_ = http.NewResponseController(w).Flush()
	}
}

// sum is a client stream of one message a line.
func sum(w http.ResponseWriter, r *http.Request, conn grpc.ClientConnInterface) {
	stream, err := conn.NewStream(r.Context(), &grpc.StreamDesc{ClientStreams: true}, clientStream)
	lines := bufio.NewScanner(r.Body)
	for err == nil && lines.Scan() {
		if err = stream.SendMsg(new(message)); err == io.EOF {
			err = stream.RecvMsg(new(message))
			break
		}
	}
	if lines.Err() != nil {
		err = status.Error(codes.InvalidArgument, lines.Err().Error())
	}
	if err == nil {
		_ = stream.CloseSend()
		err = stream.RecvMsg(new(message))
	}
	if err != nil {
		inbound.WriteError(w, r, err, gateway.HTTPStatusFromCode)
	}
}

// request makes a REST request with half a second for it, and returns the answer's status and body.
func request(t *testing.T, method, url string, body io.Reader, timeout string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if timeout != "" {
		r.Header.Set("Request-Timeout", timeout)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: hangs}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// The time of a REST stream is up for its caller too, where the handler goes on: the whole answer
// comes at once.
func TestRESTStreamOfADeafHandler(t *testing.T) {
	for whose, tc := range map[string]struct {
		timeout string
		change  func(*setup)
	}{
		"of the caller": {"0.2", func(*setup) {}},
		"of the method": {"", policy(t, `{"timeout":"0.2s"}`)},
	} {
		for messages, want := range map[int]string{0: "DEADLINE_EXCEEDED", 2: "message\nmessage\nDeadlineExceeded"} {
			t.Run(whose+map[bool]string{true: ", at once", false: ", after messages"}[messages == 0], func(t *testing.T) {
				heard := make(chan struct{})
				f, url := served(t, func(s grpc.ServerStream) error {
					for range messages {
						if err := s.SendMsg(new(message)); err != nil {
							return err
						}
					}
					<-heard
					return nil
				}, inbound.HTTPLimits{}, tc.change)
				got, text := request(t, "GET", url+"/list", nil, tc.timeout)
				f.wantValue(t, inFlightMetric, nil, 1) // the handler still runs
				close(heard)
				if wantStatus := map[bool]int{true: 504, false: 200}[messages == 0]; got != wantStatus || !strings.Contains(text, want) {
					t.Errorf("got %d %q, want %d %q", got, text, wantStatus, want)
				}
				f.settle(t)
			})
		}
	}
}

// A client stream whose body does not come is answered when its time is up, and not when that of
// bodies is.
func TestRESTStreamOfASlowBody(t *testing.T) {
	for name, tc := range map[string]struct {
		timeout string
		limits  inbound.HTTPLimits
		status  int
		change  func(*setup)
	}{
		"no limit of bodies": {"0.2", inbound.HTTPLimits{}, 504, func(*setup) {}},
		"a later one":        {"0.2", inbound.HTTPLimits{BodyTimeout: time.Minute}, 504, func(*setup) {}},
		"an earlier one":     {"20", inbound.HTTPLimits{BodyTimeout: 200 * time.Millisecond}, 408, func(*setup) {}},
		"of the method":      {"", inbound.HTTPLimits{BodyTimeout: time.Minute}, 504, policy(t, `{"timeout":"0.2s"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			f, url := served(t, receiveForEver, tc.limits, tc.change)
			body, end := io.Pipe()
			defer time.AfterFunc(5*time.Second, func() { _ = end.Close() }).Stop() // or a client whose connection is cut waits for the body
			defer end.Close()                                                      //nolint:errcheck // a pipe's is nil
			go func() { _, _ = end.Write([]byte("one\n")) }()
			if got, text := request(t, "POST", url+"/sum", body, tc.timeout); got != tc.status {
				t.Errorf("got %d %q, want %d", got, text, tc.status)
			}
			f.settle(t)
		})
	}
}

// A stream that ends in time is no different from one without a timeout.
func TestRESTStreamInTime(t *testing.T) {
	f, url := served(t, func(s grpc.ServerStream) error {
		if err := s.SendMsg(new(message)); err != nil {
			return err
		}
		return status.Error(codes.NotFound, "no more")
	}, inbound.HTTPLimits{})
	for range 50 {
		if got, text := request(t, "GET", url+"/list", nil, "20"); got != 200 || text != "message\nNotFound" {
			t.Errorf("got %d %q", got, text)
		}
	}
	f.wantValue(t, callsMetric, labels{"rpc_status_code": "NOT_FOUND"}, 50)
}
