package chassis_test

import (
	"errors"
	"testing"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/chassis"
)

// Whatever another process sends as a status, it is decoded, and handed on with the same code,
// message and reason.
func FuzzErrorOf(f *testing.F) {
	raw, err := proto.Marshal(full().GRPCStatus().Proto())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p spb.Status
		if proto.Unmarshal(raw, &p) != nil {
			t.Skip("no status")
		}
		got, ok := chassis.ErrorOf(status.ErrorProto(&p))
		if ok != (codes.Code(p.GetCode()) != codes.OK) { //nolint:gosec // as the status has it
			t.Fatalf("%v: got %v, %t", &p, got, ok)
		}
		if !ok {
			return
		}
		again, _ := chassis.ErrorOf(status.FromProto(got.GRPCStatus().Proto()).Err())
		if again.Code != got.Code || again.Message != got.Message || got.Reason != "" && again.Reason != got.Reason {
			t.Errorf("handed on, %v became %v", got, again)
		}
		if got.Reason != "" && got.Domain != "" && !errors.Is(again, got) {
			t.Errorf("handed on, %v is no longer the same as %v", got, again)
		}
	})
}
