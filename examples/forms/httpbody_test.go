package forms_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	formsv1 "github.com/betmakers/paddock/examples/gen/forms/v1"
)

// An HttpBody is the body of the answer itself.
func TestHTTPBodyOfAnswers(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	for path, want := range map[string][2]string{
		"/v1/download/1":       {"text/csv", "a,b\n1,2\n"},
		"/v1/download/untyped": {"application/octet-stream", "<script>"},
		"/v1/parts/1":          {"image/png", "\x00\n\n\xff"},
	} {
		got := do(t, svc, "GET", path, nil)
		if got.status != 200 || got.err != nil || got.header.Get("Content-Type") != want[0] || got.body != want[1] {
			t.Errorf("%s: got %d %q %q, want %q", path, got.status, got.header.Get("Content-Type"), got.body, want)
		}
	}
	if got := do(t, svc, "GET", "/v1/download/bad", nil); got.status != 500 || !strings.Contains(got.body, "internal error, id ") {
		t.Errorf("a content type that is no header: got %d %s", got.status, got.body)
	}
	if lines := svc.Logs("call"); lines[len(lines)-1]["code"] != "INTERNAL" {
		t.Errorf("logged %v, want INTERNAL", lines[len(lines)-1])
	}
}

// A request's body of any type is an HttpBody, alone or as a field, and comes back as one.
func TestHTTPBodyOfRequests(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	long := strings.Repeat("0123456789\n\x00\xff", 20_000)
	for framing, reader := range framings {
		for _, contentType := range []string{"image/png", "text/plain; charset=utf-8", "application/json", "application/x-www-form-urlencoded", ""} {
			for _, body := range []string{"x", `{"a":1}`, long} {
				for _, path := range []string{"/v1/upload", "/v1/files/n", "/v1/pipe"} {
					got := do(t, svc, "POST", path, reader(body), "Content-Type", contentType)
					want := contentType
					if want == "" {
						want = "application/octet-stream"
					}
					if got.status != 200 || got.body != body || got.header.Get("Content-Type") != want {
						t.Errorf("%s, %s, %q: got %d %q with %d bytes, want %d", path, framing, contentType, got.status, got.header.Get("Content-Type"), len(got.body), len(body))
					}
				}
				got := do(t, svc, "POST", "/v1/uploadparts", reader(body), "Content-Type", contentType)
				if want := fmt.Sprintf(`"bytes":"%d","contentTypes":[%q]`, len(body), contentType); got.status != 200 || !strings.Contains(strings.ReplaceAll(got.body, `, "`, `,"`), want) {
					t.Errorf("%s, %q: got %d %.100s, want %s", framing, contentType, got.status, got.body, want)
				}
				got = do(t, svc, "POST", "/v1/fileparts/n", reader(body), "Content-Type", contentType)
				if got.body != body+body {
					t.Errorf("a field of a stream: got %d with %d bytes, want %d", got.status, len(got.body), 2*len(body))
				}
			}
		}
	}
	for path, want := range map[string]string{"/v1/upload": "", "/v1/pipe": ""} {
		if got := do(t, svc, "POST", path, nil); got.status != 200 || got.body != want {
			t.Errorf("%s without a body: got %d %q", path, got.status, got.body)
		}
	}
}

// Within a message, an HttpBody is JSON as any other, and needs a body of JSON.
func TestHTTPBodyInJSON(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{})
	got := do(t, svc, "POST", "/v1/json/n", strings.NewReader(`{"content":{"contentType":"image/png","data":"AP8="}}`))
	if got.status != 200 || !strings.Contains(got.body, `"data":"AP8="`) || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := do(t, svc, "POST", "/v1/json/n", strings.NewReader(`content=x`), "Content-Type", "application/x-www-form-urlencoded"); got.status != 415 {
		t.Errorf("a form: got %d %s, want 415", got.status, got.body)
	}
	if got := do(t, svc, "PATCH", "/v1/shapes/n", strings.NewReader(`name=x`), "Content-Type", "text/plain"); got.status != 415 {
		t.Errorf("a form by PATCH: got %d %s, want 415", got.status, got.body)
	}
}

// A download that fails under way is cut: nothing of the error is in the file, and the caller sees
// that it is not complete.
func TestDownloadThatFails(t *testing.T) {
	t.Parallel()
	svc := serve(t, &shapes{parts: func(_ *formsv1.Shape, stream formsv1.FormsService_DownloadPartsServer) error {
		if err := stream.Send(&httpbody.HttpBody{Data: []byte("part")}); err != nil {
			return err
		}
		return status.Error(codes.DataLoss, "the disk is gone")
	}})
	got := do(t, svc, "GET", "/v1/parts/1", nil)
	if got.err == nil || got.body != "part" && got.body != "" {
		t.Errorf("got %d %q, %v, want a part and an error", got.status, got.body, got.err)
	}
	if lines := svc.Logs("call"); len(lines) != 1 || lines[0]["code"] != "DATA_LOSS" {
		t.Errorf("logged %v", lines)
	}
}
