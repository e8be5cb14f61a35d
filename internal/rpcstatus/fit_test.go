package rpcstatus_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

func badRequest(fields int) *errdetails.BadRequest {
	request := new(errdetails.BadRequest)
	for i := range fields {
		request.FieldViolations = append(request.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: fmt.Sprintf("legs[%d].stake", i), Description: strings.Repeat("too high ", 5),
		})
	}
	return request
}

// withMessage returns a status with a message and details.
func withMessage(t testing.TB, message string, details ...proto.Message) *status.Status {
	t.Helper()
	p := of(t, details...).Proto()
	p.Message = message
	return status.FromProto(p)
}

func TestFit(t *testing.T) {
	var (
		info  = &errdetails.ErrorInfo{Reason: "R", Domain: "d"}
		retry = &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}
		help  = &errdetails.Help{Links: []*errdetails.Help_Link{{Url: strings.Repeat("u", 9000)}}}
	)
	for name, tc := range map[string]struct {
		st     *status.Status
		fields bool // some are kept
		mark   string
	}{
		"200 fields":      {withMessage(t, "wrong", badRequest(200), info, retry), true, "fields)"},
		"5000 fields":     {withMessage(t, "wrong", badRequest(5000), retry, info), true, "fields)"},
		"long message":    {withMessage(t, strings.Repeat("m", 9000), info, retry), false, "(cut to what the caller takes: the text)"},
		"long, not ASCII": {withMessage(t, strings.Repeat("é", 9000), info, retry), false, "the text)"},
		"both":            {withMessage(t, strings.Repeat("%", 9000), info, badRequest(500), retry), true, "the text, "},
		"another detail":  {withMessage(t, "wrong", help, badRequest(3), info, retry), true, "(cut to what the caller takes: 1 details)"},
	} {
		for _, limit := range []int{2 << 10, 7 << 10} {
			got := rpcstatus.Fit(tc.st, limit)
			d := rpcstatus.Split(got)
			if size := rpcstatus.Size(got); size > limit || size < limit/3 && name != "another detail" {
				t.Errorf("%s: %d bytes, want almost %d", name, size, limit)
			}
			if d.Info.GetReason() != "R" || d.Retry == nil || tc.fields != (len(d.Request.GetFieldViolations()) > 0) || got.Code() != codes.Aborted {
				t.Errorf("%s: got %.200v", name, got)
			}
			if !strings.Contains(got.Message(), tc.mark) || !utf8.ValidString(got.Message()) {
				t.Errorf("%s: the message is %.200s, want the mark %s", name, got.Message(), tc.mark)
			}
			if again := rpcstatus.Fit(got, limit); !proto.Equal(again.Proto(), got.Proto()) {
				t.Errorf("%s: what fits is cut again", name)
			}
		}
	}
	if st := withMessage(t, "wrong", badRequest(3), info); rpcstatus.Fit(st, 7<<10) != st {
		t.Error("what fits is changed")
	}
}

// Violations of a request of any size are found, and those that are too many are counted.
func TestViolations(t *testing.T) {
	for _, n := range []int{0, 1, 100, 1000, 20_000} {
		got, more := rpcstatus.Violations(of(t, &errdetails.Help{}, badRequest(n)), 100)
		if len(got) != min(n, 100) || more != n-len(got) {
			t.Errorf("%d: got %d and %d more", n, len(got), more)
		}
	}
	got, more := rpcstatus.Violations(of(t, badRequest(70), badRequest(70)), 100)
	if len(got) != 100 || more != 40 || got[70].GetField() != "legs[0].stake" {
		t.Errorf("two details: got %d and %d more", len(got), more)
	}
	st := of(t, badRequest(2)).Proto()
	st.Details[0].Value = append(st.Details[0].Value, 0xff)
	if got, more := rpcstatus.Violations(status.FromProto(st), 100); len(got) != 2 || more != 0 {
		t.Errorf("malformed: got %d and %d more", len(got), more)
	}
	if got, more := rpcstatus.Violations(nil, 100); got != nil || more != 0 {
		t.Errorf("no status: got %v and %d more", got, more)
	}
}
