package chassis

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestCodecWastesLittle(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	if c.Name() != "proto" {
		t.Errorf("it is called %q", c.Name())
	}
	for _, size := range []int{0, 1, 1 << 10, 1<<10 + 1, 4<<10 + 1, 16<<10 + 1, 33 << 10, 100 << 10, 1<<20 + 1, 5 << 20} {
		in, out := wrapperspb.String(strings.Repeat("x", size)), new(wrapperspb.StringValue)
		data, err := c.Marshal(in)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for _, part := range data {
			if held := cap(part.ReadOnlyData()); held > 2*size+64 {
				t.Errorf("%d bytes hold %d", size, held)
			}
		}
		if err := c.Unmarshal(data, out); err != nil || !proto.Equal(in, out) {
			t.Errorf("%d bytes do not come back: %v", size, err)
		}
		data.Free()
	}
}

func TestCodecRefusesWhatIsNoMessage(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Marshal("text"); err == nil {
		t.Error("text is no message, and was marshalled")
	}
	for _, size := range []int{1, 2000} {
		if _, err := c.Marshal(wrapperspb.String(strings.Repeat("\xff", size))); err == nil {
			t.Errorf("%d bytes that are not UTF-8 were marshalled", size)
		}
	}
}
