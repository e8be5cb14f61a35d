package balance

import (
	"context"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
)

// What failed is remembered until it is repeated or the call ends, and takes no room afterwards.
func TestFailedAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f failedAttempts
		repeated, cancel := context.WithCancel(t.Context())
		ended, end := context.WithCancel(t.Context())
		f.add(repeated, codes.Unavailable)
		f.add(repeated, codes.ResourceExhausted)
		f.add(ended, codes.Unavailable)
		f.add(context.Background(), codes.Unavailable) // which is no call's
		if code, ok := f.take(repeated); code != codes.ResourceExhausted || !ok {
			t.Errorf("got %v, %t, want the newest", code, ok)
		}
		if code, ok := f.take(repeated); ok {
			t.Errorf("got %v once more", code)
		}
		end()
		synctest.Wait()
		if n := f.count.Load(); n != 0 {
			t.Errorf("%d attempts are remembered, want none", n)
		}
		f.byCall.Range(func(any, any) bool { t.Error("something is left"); return false })
		cancel()
	})
}
