package acceptance_test

import (
	"os"
	"runtime"
	"testing"
)

// mostBytes is how large a small service may be. Compression, server-sent events and the metrics of
// bounded resources are in it. Whatever calls a method by a name that is only known at run time, as
// templates do, costs more than that, because the linker then keeps every exported method.
const mostBytes = 20_500_000

func TestBinaryIsSmall(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(hello)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("hello is %d bytes", info.Size())
	if runtime.GOOS != "linux" {
		t.Skip("measured for Linux: other systems have other formats")
	}
	if info.Size() > mostBytes {
		t.Errorf("hello is %d bytes, want at most %d: see docs/decisions/0010-no-templates.md for what makes a binary grow", info.Size(), mostBytes)
	}
}
