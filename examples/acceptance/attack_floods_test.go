package acceptance_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// flooder is a connection whose frames are gathered and sent many at a time. It reads nothing but
// to throw it away.
type flooder struct {
	*http2.Framer
	port   string
	frames bytes.Buffer
	block  bytes.Buffer
	enc    *hpack.Encoder
	stream uint32 // the last that was opened
}

func newFlooder(port string) *flooder {
	f := &flooder{port: port}
	f.Framer = http2.NewFramer(&f.frames, nil)
	f.AllowIllegalWrites = true
	f.enc = hpack.NewEncoder(&f.block)
	f.frames.WriteString(http2.ClientPreface)
	_ = f.WriteSettings()
	return f
}

// head returns the header of a call with a body that comes later, and with more fields.
func (f *flooder) head(more ...hpack.HeaderField) []byte {
	path, kind := "/hello.v1.HelloService/SayHello", "application/grpc"
	if f.port == "rest" {
		path, kind = "/v1/hello", "application/json"
	}
	f.block.Reset()
	for _, field := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: path},
		{Name: ":authority", Value: "localhost"}, {Name: "content-type", Value: kind}, {Name: "te", Value: "trailers"},
	}, more...) {
		_ = f.enc.WriteField(field)
	}
	return f.block.Bytes()
}

// open begins a call.
func (f *flooder) open(ended bool, more ...hpack.HeaderField) {
	f.stream += 2
	if f.stream == 2 {
		f.stream = 1
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: f.head(more...), EndHeaders: true, EndStream: ended})
}

// begin sends a header that is to be continued.
func (f *flooder) begin() {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.head()})
	f.stream = 1
}

// filler is a field of a header, which takes a byte on the wire when it is repeated.
var filler = hpack.HeaderField{Name: "x-filler", Value: strings.Repeat("x", 3000)}

// floods are what a connection sends once, and then again and again.
var floods = []struct {
	name  string
	once  func(*flooder)
	again func(*flooder)
}{
	{"PING", nil, func(f *flooder) { _ = f.WritePing(false, [8]byte{}) }},
	{"PING acknowledged", nil, func(f *flooder) { _ = f.WritePing(true, [8]byte{}) }},
	{"SETTINGS", nil, func(f *flooder) { _ = f.WriteSettings() }},
	{"SETTINGS of the table", nil, func(f *flooder) {
		_ = f.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 30})
	}},
	{"SETTINGS of the window, with open streams", func(f *flooder) {
		for range 100 {
			f.open(false)
		}
	}, func(f *flooder) { _ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}) }},
	{"PRIORITY", nil, func(f *flooder) {
		f.stream += 2
		_ = f.WritePriority(f.stream+1, http2.PriorityParam{StreamDep: 1, Weight: 255})
	}},
	{"empty DATA", func(f *flooder) { f.open(false) }, func(f *flooder) { _ = f.WriteData(1, false, nil) }},
	{"DATA of padding", func(f *flooder) { f.open(false) }, func(f *flooder) { _ = f.WriteDataPadded(1, false, nil, make([]byte, 255)) }},
	{"HEADERS and RST_STREAM", nil, func(f *flooder) {
		f.open(false)
		_ = f.WriteRSTStream(f.stream, http2.ErrCodeCancel)
	}},
	{"whole requests and RST_STREAM", nil, func(f *flooder) {
		f.open(true)
		_ = f.WriteRSTStream(f.stream, http2.ErrCodeCancel)
	}},
	{"streams that the server has to reset", nil, func(f *flooder) { // CVE-2025-8671
		f.open(false)
		_ = f.WriteWindowUpdate(f.stream, 0)
	}},
	{"beyond the limit of streams", nil, func(f *flooder) { f.open(false) }},
	{"CONTINUATION", (*flooder).begin, func(f *flooder) {
		f.block.Reset()
		_ = f.enc.WriteField(hpack.HeaderField{Name: "x-more", Value: "x", Sensitive: true})
		_ = f.WriteContinuation(1, false, f.block.Bytes())
	}},
	{"empty CONTINUATION", (*flooder).begin, func(f *flooder) { _ = f.WriteContinuation(1, false, nil) }},
	{"WINDOW_UPDATE", func(f *flooder) { f.open(false) }, func(f *flooder) {
		_ = f.WriteWindowUpdate(0, 1)
		_ = f.WriteWindowUpdate(1, 1)
	}},
	{"HPACK bombs", nil, func(f *flooder) {
		fields := make([]hpack.HeaderField, 4000) // 12 MB for 4 kB
		for i := range fields {
			fields[i] = filler
		}
		f.open(true, fields...)
	}},
	{"trailers", nil, func(f *flooder) {
		f.open(false)
		f.block.Reset()
		for range 100 {
			_ = f.enc.WriteField(filler)
		}
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: true})
	}},
	{"GOAWAY", nil, func(f *flooder) { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil) }},
	{"frames of no kind", nil, func(f *flooder) { _ = f.WriteRawFrame(0xfa, 0, 0, []byte("12345678")) }},
	{"RST_STREAM of streams that are over", func(f *flooder) {
		f.open(true)
		_ = f.WriteRSTStream(1, http2.ErrCodeCancel)
	}, func(f *flooder) { _ = f.WriteRSTStream(1, http2.ErrCodeCancel) }},
	{"PUSH_PROMISE", nil, func(f *flooder) {
		_ = f.WriteRawFrame(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, 1, make([]byte, 8))
	}},
}

// flood sends on one connection after the other what the server takes, until the time has come and
// something was sent. It returns how many frames the server has taken.
func (s target) flood(port string, once, again func(*flooder), until time.Time) (sent int64) {
	for sent == 0 || time.Now().Before(until) {
		conn, err := tls.Dial("tcp", s.addr(port), h2(s.caller))
		if err != nil {
			continue // the server has enough for the moment
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		ended := time.AfterFunc(time.Until(until)+time.Second, func() { _ = conn.SetDeadline(time.Now()) }) // whatever the server takes
		go func() { _, _ = io.Copy(io.Discard, conn) }()                                                    // until it is closed
		f := newFlooder(port)
		if once != nil {
			once(f)
		}
		for first := true; first || time.Now().Before(until); first = false {
			frames := int64(0)
			for ; frames < 500 && f.frames.Len() < 64<<10; frames++ {
				again(f)
			}
			if _, err := f.frames.WriteTo(conn); err != nil {
				break
			}
			sent += frames
		}
		ended.Stop()
		_ = conn.Close()
	}
	return sent
}

// Frames of every kind, as many as go, on connections with a good certificate to both ports: the
// process keeps its memory, answers those who come new, and is as before when they have gone. No
// other test runs beside it.
func TestAttackFloods(t *testing.T) {
	const connections, most = 2, 160 * mib
	s := startTarget(t, hello)
	s.answersStrangers(t, "before")
	for _, attack := range floods {
		t.Run(attack.name, func(t *testing.T) {
			series, resident := s.series(), s.resident(t, "VmRSS")
			s.forgetPeak(t)
			var sent [2]atomic.Int64
			var attackers sync.WaitGroup
			until := time.Now().Add(attackTime(t))
			for i, port := range []string{"grpc", "rest"} {
				for range connections {
					attackers.Go(func() { sent[i].Add(s.flood(port, attack.once, attack.again, until)) })
				}
			}
			s.answersStrangers(t, "during the flood")
			attackers.Wait()
			s.lives(t)
			// What is free by now stays resident for a while, so it is the growth that is bounded.
			more := s.resident(t, "VmHWM") - resident
			if more > most {
				t.Errorf("the process took %d MiB", more/mib)
			}
			s.calm(t, series["go_goroutines"])
			t.Logf("%d frames to gRPC, %d to REST: %d MiB more", sent[0].Load(), sent[1].Load(), more/mib)
		})
	}
	s.answersStrangers(t, "after them")
	// The flight recorder holds what it has seen last, some 20 MiB after so much.
	await(t, "the memory to return", func() bool { return s.inUse() < 64*mib })
}
