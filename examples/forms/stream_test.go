package forms_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	formsv1 "github.com/betmakers/paddock/examples/gen/forms/v1"
)

// A stream of messages is one JSON value after the other, with or without a Content-Length.
func TestStreamsOfJSON(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for framing, reader := range framings {
		for body, want := range map[string]int{
			"": 0, "\n \n": 0,
			`{"big":"1"}`:                         1,
			"{\"big\":\"1\"}\n":                   1,
			"{\"big\":\"1\"}\n{\"big\":\"2\"}":    2,
			"{\"big\":1}\r\n\r\n{\"big\":2}\r\n":  2,
			`{"big":"1"}{"big":"2"} {"big":"3"}`:  3,
			"{\n\"big\":\n1}\n{}\n":               2,
			strings.Repeat("{\"big\":1}\n", 1000): 1000,
		} {
			got := do(t, svc, "POST", "/v1/sum", reader(body), "Content-Type", "application/x-ndjson")
			if got.status != 200 || !strings.Contains(got.body, fmt.Sprintf(`"count":%d,`, want)) {
				t.Errorf("%s, %.40q: got %d %s, want a count of %d", framing, body, got.status, got.body, want)
			}
			got = do(t, svc, "POST", "/v1/chat", reader(body))
			if lines := strings.Count(got.body, `{"result":`); got.status != 200 || lines != want || got.header.Get("Content-Type") != "application/x-ndjson" && want > 0 {
				t.Errorf("%s, %.40q: got %d with %d messages, want %d", framing, body, got.status, lines, want)
			}
		}
	}
}

// A message that cannot be read ends the stream with an error that names its place and quotes
// nothing. The handler does not take what came before for all.
func TestUnreadableMessageOfAStream(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for body, want := range map[string]string{
		"{\"big\":\"1\"}\n{\"big\":\"hunter2\"}\n{}": "the request cannot be read at message 2 at line 1:8: the value of big is none of its type",
		"{}\n{}\n{hunter2":                           "the request cannot be read at message 3",
		"{}\n{\"kind\":\"HUNTER2\"}":                 "the request cannot be read at message 2: the value of kind is no name of its enum",
		"{}\n{\"big\":":                              "the request cannot be read at message 2",
		"{} 7":                                       "the request cannot be read at message 2",
	} {
		for framing, reader := range framings {
			for _, path := range []string{"/v1/sum", "/v1/chat"} {
				got := do(t, svc, "POST", path, reader(body))
				if !strings.Contains(got.body, `"detail":"`+want) || strings.Contains(strings.ToLower(got.body), "hunter2") {
					t.Errorf("%s, %s, %q: got %d %s, want %s", path, framing, body, got.status, got.body, want)
				}
				if path == "/v1/sum" && got.status != 400 {
					t.Errorf("%s, %s, %q: got %d, want 400", path, framing, body, got.status)
				}
			}
		}
	}
	for _, line := range svc.Logs() {
		if strings.Contains(strings.ToLower(fmt.Sprint(line)), "hunter2") {
			t.Errorf("logged %v", line)
		}
	}
	for _, line := range svc.Logs("call") {
		if line["code"] != "INVALID_ARGUMENT" || line["level"] != "INFO" {
			t.Errorf("logged %v, want a mistake of the caller", line)
		}
	}
}

// What a handler says after its answer counts, as by gRPC.
func TestClientStreamEndsWithItsHandler(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ends   func(formsv1.FormsService_SumServer) error
		status int
		body   string
	}{
		"an error behind the answer": {func(stream formsv1.FormsService_SumServer) error {
			if err := stream.SendAndClose(&formsv1.SumResponse{Count: 7}); err != nil {
				return err
			}
			return status.Error(codes.Aborted, "too late")
		}, 409, "too late"},
		"two answers": {func(stream formsv1.FormsService_SumServer) error {
			_ = stream.SendAndClose(&formsv1.SumResponse{Count: 7})
			return stream.SendAndClose(&formsv1.SumResponse{Count: 8})
		}, 500, "INTERNAL"},
		"no answer": {func(formsv1.FormsService_SumServer) error { return nil }, 500, "INTERNAL"},
		"an answer": {func(stream formsv1.FormsService_SumServer) error {
			return stream.SendAndClose(&formsv1.SumResponse{Count: 7})
		}, 200, `"count":7`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := serve(t, &shapes{sum: func(stream formsv1.FormsService_SumServer) error {
				stream.SetTrailer(metadata.Pairs("trails", "1"))
				return tc.ends(stream)
			}})
			for framing, reader := range framings {
				got := do(t, svc, "POST", "/v1/sum", reader("{}\n"), "TE", "trailers")
				if got.status != tc.status || !strings.Contains(got.body, tc.body) {
					t.Errorf("%s: got %d %s, want %d with %s", framing, got.status, got.body, tc.status, tc.body)
				}
				if got.trailer.Get("Grpc-Trailer-Trails") != "1" && name != "two answers" {
					t.Errorf("%s: got the trailer %v", framing, got.trailer)
				}
			}
			if tc.status != 500 {
				return
			}
			for _, line := range svc.Logs("call") {
				if line["code"] != "INTERNAL" && name == "no answer" {
					t.Errorf("logged %v, want INTERNAL", line)
				}
			}
		})
	}
}

// Headers and trailers of a call arrive also if it fails.
func TestMetadataOfErrors(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{answer: failing})
	for _, path := range []string{"/v1/echo", "/v1/watch", "/v1/things/a"} {
		for _, te := range []string{"", "trailers"} {
			got := do(t, svc, "GET", path, nil, "TE", te)
			want := http.Header{}
			if te != "" {
				want.Set("Grpc-Trailer-Trails", "1")
			}
			if got.status != 409 || fmt.Sprint(got.header.Values("Grpc-Metadata-Set")) != "[1 2]" || fmt.Sprint(got.trailer) != fmt.Sprint(want) {
				t.Errorf("%s: got %d with %v and the trailer %v, want the metadata and %v", path, got.status, got.header, got.trailer, want)
			}
		}
	}
}

// A stream that fails under way ends with a problem, and its call has the code of it.
func TestStreamThatFailsUnderWay(t *testing.T) {
	t.Parallel()
	calls := 0
	svc := serve(t, &shapes{answer: func(_ context.Context, in *formsv1.Shape) (*formsv1.Shape, error) {
		if calls++; calls > 1 {
			return nil, status.Error(codes.Aborted, "again")
		}
		return in, nil
	}})
	got := do(t, svc, "GET", "/v1/watch", nil)
	if got.status != 200 || got.err != nil || !strings.Contains(got.body, `{"error":{"title":"Conflict"`) {
		t.Errorf("got %d %s, %v", got.status, got.body, got.err)
	}
}
