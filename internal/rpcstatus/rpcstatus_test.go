package rpcstatus_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/betmakers/paddock/internal/rpcstatus"
)

// of returns a status with the given details.
func of(t testing.TB, details ...proto.Message) *status.Status {
	t.Helper()
	p := &spb.Status{Code: int32(codes.Aborted), Message: "again"}
	for _, detail := range details {
		packed, ok := detail.(*anypb.Any)
		if !ok {
			var err error
			if packed, err = anypb.New(detail); err != nil {
				t.Fatal(err)
			}
		}
		p.Details = append(p.Details, packed)
	}
	return status.FromProto(p)
}

func TestSplit(t *testing.T) {
	var (
		info      = &errdetails.ErrorInfo{Reason: "R", Domain: "d", Metadata: map[string]string{"k": "v"}}
		request   = &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "f", Description: "d"}}}
		retry     = &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}
		localized = &errdetails.LocalizedMessage{Locale: "de", Message: "noch einmal"}
	)
	got := rpcstatus.Split(of(t, &errdetails.Help{}, info, request, retry, localized))
	if !proto.Equal(got.Info, info) || !proto.Equal(got.Request, request) || !proto.Equal(got.Retry, retry) || !proto.Equal(got.Localized, localized) {
		t.Errorf("got %v", got)
	}
	if len(got.Others) != 1 || got.Others[0].MessageName() != "google.rpc.Help" {
		t.Errorf("the others are %v, want the help", got.Others)
	}
	if none := rpcstatus.Split(nil); none.Info != nil || none.Others != nil {
		t.Errorf("no status has %v", none)
	}
}

// What is not decoded is kept as it came, for whoever it is handed on to.
func TestSplitLeavesAlone(t *testing.T) {
	info := &errdetails.ErrorInfo{Reason: "FIRST"}
	crowd := make([]proto.Message, 64, 65)
	for i := range crowd {
		crowd[i] = &errdetails.Help{}
	}
	for name, test := range map[string]struct {
		details []proto.Message
		others  int
		info    bool
	}{
		"malformed":          {[]proto.Message{&anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte{0xff}}}, 1, false},
		"no UTF-8":           {[]proto.Message{&anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: []byte{0x0a, 1, 0xff}}}, 1, false},
		"too large":          {[]proto.Message{&errdetails.ErrorInfo{Reason: strings.Repeat("x", 70<<10)}}, 1, false},
		"the second":         {[]proto.Message{info, &errdetails.ErrorInfo{Reason: "SECOND"}}, 1, true},
		"without a type":     {[]proto.Message{&anypb.Any{}}, 1, false},
		"of nobody's type":   {[]proto.Message{&anypb.Any{TypeUrl: "type.googleapis.com/no.Such"}}, 1, false},
		"behind many others": {append(crowd, info), 65, false},
	} {
		got := rpcstatus.Split(of(t, test.details...))
		if len(got.Others) != test.others || (got.Info.GetReason() == "FIRST") != test.info {
			t.Errorf("%s: got %d others and the info %v", name, len(got.Others), got.Info)
		}
	}
}
