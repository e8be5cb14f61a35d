package chassis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/betmakers/paddock/chassis"
	feedv1 "github.com/betmakers/paddock/chassis/internal/proto/feed/v1"
	"github.com/betmakers/paddock/internal/eventstream/eventtest"
)

type (
	followStream = grpc.ServerStreamingServer[feedv1.FollowResponse]
	tickStream   = grpc.ServerStreamingServer[feedv1.TickResponse]
)

// feed is a service of two streams; a nil one ends at once.
type feed struct {
	feedv1.UnimplementedFeedServiceServer
	follow func(*feedv1.FollowRequest, followStream) error
	tick   func(*feedv1.TickRequest, tickStream) error
}

func (f feed) Follow(in *feedv1.FollowRequest, stream followStream) error {
	if f.follow == nil {
		return nil
	}
	return f.follow(in, stream)
}

func (f feed) Tick(in *feedv1.TickRequest, stream tickStream) error {
	if f.tick == nil {
		return nil
	}
	return f.tick(in, stream)
}

func feeds(f feed) chassis.Service {
	return chassis.Service{Name: "feed", Setup: func(ctx context.Context, app *chassis.App) error {
		feedv1.RegisterFeedServiceServer(app, f)
		app.Gateway(ctx, feedv1.RegisterFeedServiceHandler)
		return nil
	}}
}

// number sends the numbers from first to last.
func number(stream followStream, first, last int64) error {
	for n := first; n <= last; n++ {
		if err := stream.Send(&feedv1.FollowResponse{Number: n, Text: "line\nline"}); err != nil {
			return err
		}
	}
	return nil
}

// subscribe asks for events as an EventSource does.
func subscribe(t *testing.T, client *http.Client, url string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// expectEvents reads a stream to its end.
func expectEvents(t *testing.T, resp *http.Response, want ...eventtest.Event) *eventtest.Reader {
	t.Helper()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %s, %v", resp.Status, resp.Header)
	}
	r := eventtest.New(resp.Body)
	got, err := r.All()
	for i := range got {
		got[i].Data = spaceless(got[i].Data) // protojson sets blanks as it likes
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	return r
}

var ended = eventtest.Event{Name: "end", ID: "end-of-stream", Data: "{}"}

// Each protocol has the same events, with what intermediaries have to know of them.
func TestEventsOfAStream(t *testing.T) {
	t.Parallel()
	for protocol, secure := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(protocol, func(t *testing.T) {
			svc := start(t, feeds(feed{follow: func(_ *feedv1.FollowRequest, s followStream) error { return number(s, 7, 8) }}),
				env{"CHASSIS_HTTP_TLS": fmt.Sprint(secure)})
			url := map[bool]string{false: "http", true: "https"}[secure] + "://rest/v1/feed/a"
			resp := subscribe(t, svc.HTTP(), url)
			if resp.Proto != protocol {
				t.Fatalf("the protocol is %s", resp.Proto)
			}
			for name, want := range map[string]string{
				"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Vary": "Accept", "Content-Encoding": "", "Content-Length": "",
			} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			r := expectEvents(t, resp,
				eventtest.Event{Name: "message", ID: "7", Data: `{"number":"7","text":"line\nline"}`},
				eventtest.Event{Name: "message", ID: "8", Data: `{"number":"8","text":"line\nline"}`}, ended)
			if r.Retry < time.Second || r.Retry > 3*time.Second {
				t.Errorf("retry: %s, want 1 to 3 s", r.Retry)
			}
		})
	}
}

// The lines of JSON are what they were, for every client that does not ask for events by name.
func TestLinesStayLines(t *testing.T) {
	t.Parallel()
	svc := start(t, feeds(feed{follow: func(_ *feedv1.FollowRequest, s followStream) error { return number(s, 1, 2) }}), nil)
	want := `{"result":{"number":"1","text":"line\nline"}}` + "\n" + `{"result":{"number":"2","text":"line\nline"}}` + "\n"
	for _, accept := range []string{"", "*/*", "application/json", "application/x-ndjson", "application/x-ndjson, text/event-stream;q=0.5"} {
		got := do(t, svc.HTTP(), "GET", "http://rest/v1/feed/a", "", "Accept", accept, "Last-Event-ID", "end-of-stream")
		if spaceless(got.body) != spaceless(want) || got.header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("Accept %q: got %s, %v", accept, got, got.header)
		}
	}
}

func spaceless(s string) string { return strings.ReplaceAll(s, " ", "") }

// Where a client goes on: the handler reads it in its request, or in its metadata.
func TestLastEventID(t *testing.T) {
	t.Parallel()
	var request, meta string
	svc := start(t, feeds(feed{
		follow: func(in *feedv1.FollowRequest, s followStream) error {
			md, _ := metadata.FromIncomingContext(s.Context())
			request, meta = fmt.Sprint(in.GetTopic(), in.GetAfter()), fmt.Sprint(md["last-event-id"])
			return number(s, in.GetAfter()+1, in.GetAfter()+1)
		},
		tick: func(in *feedv1.TickRequest, s tickStream) error {
			md, _ := metadata.FromIncomingContext(s.Context())
			request, meta = in.GetTopic(), fmt.Sprint(md["last-event-id"])
			return s.Send(&feedv1.TickResponse{Text: "x"})
		},
	}), nil)
	for _, test := range []struct{ path, last, id, request, meta string }{
		{"/v1/feed/a", "", "1", "a0", "[]"},
		{"/v1/feed/a", "41", "42", "a41", "[41]"},
		{"/v1/feed/a?after=7", "", "8", "a7", "[]"},
		{"/v1/feed/a?after=7", "41", "42", "a41", "[41]"}, // the URL is that of the first attempt
		{"/v1/ticks/b", "", "1", "b", "[]"},
		{"/v1/ticks/b", "41", "42", "b", "[41]"}, // a header does not change the path
		{"/v1/ticks/b", "x", "1", "b", "[x]"},
		{"/v1/ticks/b", "9223372036854775807", "1", "b", "[9223372036854775807]"},
		{"/v1/ticks/b", "-3", "1", "b", "[-3]"},
		{"/v1/tags", "ä", "1", "ä", "[]"}, // metadata is ASCII
	} {
		var header []string
		if test.last != "" {
			header = []string{"Last-Event-ID", test.last}
		}
		got, err := eventtest.New(subscribe(t, svc.HTTP(), "http://rest"+test.path, header...).Body).Next()
		if err != nil || got.ID != test.id || request != test.request || meta != test.meta {
			t.Errorf("%s after %q: got id %q, %v; the handler got %q and %s; want %+v", test.path, test.last, got.ID, err, request, meta, test)
		}
	}
}

// An id that no event can have had is the client's mistake, and no call is made.
func TestLastEventIDThatIsNone(t *testing.T) {
	t.Parallel()
	svc := start(t, feeds(feed{}), nil)
	for _, last := range []string{"secret", "1.5", "9223372036854775808", "0x1", "1 2"} {
		resp := subscribe(t, svc.HTTP(), "http://rest/v1/feed/a", "Last-Event-ID", last)
		body, _ := io.ReadAll(resp.Body)
		var problem struct {
			Status int
			Errors []struct{ Field, Detail string }
		}
		if err := json.Unmarshal(body, &problem); err != nil || resp.StatusCode != 400 || len(problem.Errors) != 1 || problem.Errors[0].Field != "after" {
			t.Errorf("%s: got %s %s", last, resp.Status, body)
		}
		if strings.Contains(string(body), last) {
			t.Errorf("%s quotes the header", body)
		}
	}
	if lines := svc.Logs("call"); len(lines) != 0 {
		t.Errorf("there were calls: %v", lines)
	}
	if lines := svc.Logs("request"); len(lines) != 5 {
		t.Errorf("%d lines, want 5: %v", len(lines), lines)
	}
}

// A stream that has ended for good is not asked for again and again by a browser: 204 ends that.
func TestEndOfStreamIsFinal(t *testing.T) {
	t.Parallel()
	svc := start(t, feeds(feed{}), nil)
	r := expectEvents(t, subscribe(t, svc.HTTP(), "http://rest/v1/feed/a"), ended)
	resp := subscribe(t, svc.HTTP(), "http://rest/v1/feed/a", "Last-Event-ID", r.LastID)
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("got %s, want 204", resp.Status)
	}
}

// What fails before the first event has the status of the error; what fails later is an event. Of
// the errors that the same request gets again the browser makes no further attempt.
func TestErrorsOfEvents(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
		lastID string
		retry  time.Duration
	}{
		"final":     {status.Error(codes.NotFound, "no\nsuch topic"), 404, "end-of-stream", 0},
		"passing":   {status.Error(codes.Unavailable, "the store is away"), 503, "1", 0},
		"with time": {withRetry(t, 7*time.Second), 429, "1", 7 * time.Second},
		"no status": {io.ErrUnexpectedEOF, 500, "1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := start(t, feeds(feed{follow: func(in *feedv1.FollowRequest, s followStream) error {
				if in.GetTopic() == "late" {
					_ = number(s, 1, 1)
				}
				return test.err
			}}), nil)
			early := subscribe(t, svc.HTTP(), "http://rest/v1/feed/early")
			if early.StatusCode != test.status || early.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("at once: got %s, %v", early.Status, early.Header)
			}
			r := eventtest.New(subscribe(t, svc.HTTP(), "http://rest/v1/feed/late").Body)
			got, err := r.All()
			if err != nil || len(got) != 2 || got[1].Name != "error" || got[1].ID != test.lastID {
				t.Fatalf("late: got %q, %v", got, err)
			}
			var problem struct{ Status int }
			if err := json.Unmarshal([]byte(got[1].Data), &problem); err != nil || problem.Status != test.status {
				t.Errorf("the problem is %s, %v", got[1].Data, err)
			}
			if test.retry != 0 && r.Retry != test.retry {
				t.Errorf("retry: %s, want %s", r.Retry, test.retry)
			}
			if strings.Contains(got[1].Data, "unexpected EOF") {
				t.Errorf("the cause got out: %s", got[1].Data)
			}
			if n := svc.Metric("rpc_server_call_duration_seconds", "rpc_method", "feed.v1.FeedService/Follow", "rpc_status_code", "OK"); n != 0 {
				t.Errorf("%v calls count as OK", n)
			}
		})
	}
}

func withRetry(t *testing.T, after time.Duration) error {
	t.Helper()
	st, err := status.New(codes.ResourceExhausted, "later").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	if err != nil {
		t.Fatal(err)
	}
	return st.Err()
}

// A quiet stream is open at once where its handler says so, and has heartbeats.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	svc := start(t, feeds(feed{follow: func(_ *feedv1.FollowRequest, s followStream) error {
		if err := s.SendHeader(metadata.Pairs("topic", "a")); err != nil {
			return err
		}
		select {
		case <-release:
		case <-s.Context().Done():
		}
		return number(s, 1, 1)
	}}), env{"CHASSIS_SSE_HEARTBEAT": "5ms"})
	resp := subscribe(t, svc.HTTP(), "http://rest/v1/feed/a") // else it would not come back
	if resp.Header.Get("Grpc-Metadata-Topic") != "a" {
		t.Errorf("the handler's header is missing: %v", resp.Header)
	}
	var seen strings.Builder
	buf := make([]byte, 64)
	for strings.Count(seen.String(), "\n:\n")+strings.Count(seen.String(), ":\n:\n") < 3 {
		n, err := resp.Body.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, seen.String())
		}
		seen.Write(buf[:n])
	}
	close(release)
	r := eventtest.New(io.MultiReader(strings.NewReader(seen.String()), resp.Body))
	got, err := r.All()
	if err != nil || len(got) != 2 || got[0].ID != "1" || got[1] != ended {
		t.Errorf("got %q, %v", got, err)
	}
	if len(r.Comments) < 3 {
		t.Errorf("%d heartbeats", len(r.Comments))
	}
}

// A handler that says nothing for a second does not keep its client waiting for the answer's
// beginning.
func TestQuietHandlerIsOpened(t *testing.T) {
	t.Parallel()
	svc := start(t, feeds(feed{follow: func(_ *feedv1.FollowRequest, s followStream) error {
		<-s.Context().Done()
		return s.Context().Err()
	}}), env{"CHASSIS_SSE_HEARTBEAT": "0"})
	resp := subscribe(t, svc.HTTP(), "http://rest/v1/feed/a", "Request-Timeout", "1.2") // it answers before the handler does
	r := eventtest.New(resp.Body)
	got, err := r.All()
	if resp.StatusCode != 200 || err != nil || len(got) != 1 || got[0].Name != "error" || !strings.Contains(got[0].Data, `"DEADLINE_EXCEEDED"`) {
		t.Errorf("got %s, %q, %v", resp.Status, got, err)
	}
}

// The service stops: its clients are asked to come back, and that is no error, however the handler
// ends.
func TestEventsAtTheStop(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(context.Context) error{
		"listens, and returns nil": func(ctx context.Context) error { <-chassis.Draining(ctx); return nil },
		"listens, and returns UNAVAILABLE": func(ctx context.Context) error {
			<-chassis.Draining(ctx)
			return status.Error(codes.Unavailable, "bye")
		},
		"does not listen": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, first := range []int64{0, 1} { // events before
				entered := make(chan struct{}, 1)
				svc := start(t, feeds(feed{follow: func(_ *feedv1.FollowRequest, s followStream) error {
					if err := number(s, 1, first); err != nil {
						return err
					}
					entered <- struct{}{}
					return ends(s.Context())
				}}), shortly)
				answer := make(chan *http.Response, 1)
				go func() { answer <- subscribe(t, svc.HTTP(), "http://rest/v1/feed/a") }()
				await(t, entered, "the handler is called")
				svc.RequestStop()
				resp := await(t, answer, "the stream is open")
				r := eventtest.New(resp.Body)
				got, err := r.All()
				if resp.StatusCode != 200 || err != nil || len(got) != int(first) || r.Retry == 0 || !strings.Contains(fmt.Sprint(r.Comments), "connect again") {
					t.Errorf("got %s, %q, %v; retry %s, comments %q", resp.Status, got, err, r.Retry, r.Comments)
				}
				svc.Stop()
			}
		})
	}
}

// A client that does not read holds the handler up, as by any stream: nothing is kept for it.
func TestEventsForAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 64<<10)
	sent, over := make(chan int, 1), make(chan error, 1)
	svc := start(t, feeds(feed{follow: func(_ *feedv1.FollowRequest, s followStream) error {
		for n := 0; ; n++ {
			if err := s.Send(&feedv1.FollowResponse{Number: int64(n), Text: text}); err != nil {
				sent <- n
				over <- err
				return err
			}
		}
	}}), env{"CHASSIS_WRITE_TIMEOUT": "300ms"})
	resp := subscribe(t, svc.HTTP(), "http://rest/v1/feed/a")
	if n := await(t, sent, "the write timeout ends the stream"); n > 1000 {
		t.Errorf("%d messages of 64 KiB were taken from the handler", n)
	}
	if err := <-over; err == nil {
		t.Error("no error")
	}
	resp.Body.Close()
}

// The part of the answer that response_body names is the data.
func TestEventsOfAResponseBody(t *testing.T) {
	t.Parallel()
	svc := start(t, feeds(feed{tick: func(_ *feedv1.TickRequest, s tickStream) error {
		return s.Send(&feedv1.TickResponse{Text: "x", Tags: []string{"a", "b"}})
	}}), nil)
	expectEvents(t, subscribe(t, svc.HTTP(), "http://rest/v1/tags"), eventtest.Event{Name: "message", ID: "1", Data: `["a","b"]`}, ended)
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://rest/v1/feed", strings.NewReader(`{"topic":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json, text/event-stream") // as clients do that are no EventSource
	resp, err := svc.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // of a test
	expectEvents(t, resp, ended)
}
