package clientsettings_test

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/betmakers/paddock/internal/clientsettings"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// piecewise is a connection that gives a few bytes at a time.
type piecewise struct {
	net.Conn
	data *bytes.Reader
	size int
}

func (p piecewise) Read(b []byte) (int, error) { return p.data.Read(b[:min(len(b), p.size)]) }

func TestHeaderListLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		sent string
		want int
	}{
		"one setting":          {preface + "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x06\x00\x00\x20\x00", 8192},
		"behind others":        {preface + "\x00\x00\x12\x04\x00\x00\x00\x00\x00" + "\x00\x04\x00\x00\xff\xff" + "\x00\x06\x00\x00\x20\x00" + "\x00\x05\x00\x00\x40\x00", 8192},
		"twice":                {preface + "\x00\x00\x0c\x04\x00\x00\x00\x00\x00" + "\x00\x06\x00\x00\x20\x00" + "\x00\x06\x00\x00\x10\x00", 4096},
		"none":                 {preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00", 0},
		"another frame":        {preface + "\x00\x00\x06\x06\x00\x00\x00\x00\x00" + "\x00\x06\x00\x00\x20\x00", 0},
		"too many":             {preface + "\x00\xff\xff\x04\x00\x00\x00\x00\x00" + "\x00\x06\x00\x00\x20\x00", 0},
		"HTTP/1":               {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		"cut in the preface":   {preface[:10], 0},
		"cut in the frame":     {preface + "\x00\x00\x36\x04\x00\x00\x00\x00\x00" + "\x00\x06\x00\x00\x20\x00", 0},
		"nothing":              {"", 0},
		"half a setting in it": {preface + "\x00\x00\x05\x04\x00\x00\x00\x00\x00" + "\x00\x06\x00\x00\x20\x00", 0},
	} {
		for _, size := range []int{1, 7, 33, 1 << 10} {
			sent := tc.sent + "rest"
			conn := clientsettings.Watch(piecewise{data: bytes.NewReader([]byte(sent)), size: size})
			if got, err := io.ReadAll(conn); err != nil || string(got) != sent {
				t.Errorf("%s: read %q, %v", name, got, err)
			}
			if got := conn.HeaderListLimit(); got != tc.want {
				t.Errorf("%s, %d bytes at a time: got %d, want %d", name, size, got, tc.want)
			}
		}
	}
}

func FuzzHeaderListLimit(f *testing.F) {
	f.Add([]byte(preface+"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x06\x00\x00\x20\x00"), 3)
	f.Fuzz(func(t *testing.T, sent []byte, size int) {
		whole := clientsettings.Watch(piecewise{data: bytes.NewReader(sent), size: len(sent) + 1})
		parts := clientsettings.Watch(piecewise{data: bytes.NewReader(sent), size: max(size&63, 1)})
		for _, conn := range []net.Conn{whole, parts} {
			if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("read %q, %v", got, err)
			}
		}
		if whole.HeaderListLimit() != parts.HeaderListLimit() {
			t.Errorf("got %d and %d", whole.HeaderListLimit(), parts.HeaderListLimit())
		}
	})
}
