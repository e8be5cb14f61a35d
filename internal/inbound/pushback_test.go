package inbound_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// What a status says in google.rpc.RetryInfo, clients of gRPC find in the trailer that they obey.
func TestPushBack(t *testing.T) {
	wait := func(d *durationpb.Duration) protoadapt.MessageV1 {
		return protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: d})
	}
	for name, test := range map[string]struct {
		code    codes.Code
		details []protoadapt.MessageV1
		want    string // empty: none
	}{
		"no error":          {codes.OK, nil, ""},
		"no details":        {codes.Unavailable, nil, ""},
		"another detail":    {codes.Unavailable, []protoadapt.MessageV1{protoadapt.MessageV1Of(&errdetails.ErrorInfo{Reason: "X"})}, ""},
		"a delay":           {codes.Unavailable, []protoadapt.MessageV1{wait(durationpb.New(1500 * time.Millisecond))}, "1500"},
		"behind another":    {codes.ResourceExhausted, []protoadapt.MessageV1{protoadapt.MessageV1Of(&errdetails.ErrorInfo{}), wait(durationpb.New(time.Second))}, "1000"},
		"rounded up":        {codes.Unavailable, []protoadapt.MessageV1{wait(durationpb.New(1))}, "1"},
		"at once":           {codes.Aborted, []protoadapt.MessageV1{wait(nil)}, "0"},
		"less than nothing": {codes.Unavailable, []protoadapt.MessageV1{wait(durationpb.New(-time.Second))}, "0"},
		"for ever":          {codes.Unavailable, []protoadapt.MessageV1{wait(&durationpb.Duration{Seconds: 1 << 62})}, "9223372036855"},
	} {
		t.Run(name, func(t *testing.T) {
			_, conn := start(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
				st, err := status.New(test.code, ""), error(nil)
				if test.details != nil {
					st, err = st.WithDetails(test.details...)
				}
				if err != nil {
					t.Error(err)
				}
				return in, st.Err()
			}})
			var trailer metadata.MD
			err := conn.Invoke(t.Context(), unary, new(message), new(message), grpc.Trailer(&trailer))
			if status.Code(err) != test.code {
				t.Errorf("got %v, want %s", err, test.code)
			}
			got := trailer.Get("grpc-retry-pushback-ms")
			if len(got) > 1 || len(got) == 1 != (test.want != "") || len(got) == 1 && got[0] != test.want {
				t.Errorf("got the push-back %q, want %q", got, test.want)
			}
		})
	}
}
