package acceptance_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawConn is an HTTP/2 connection whose frames the test writes itself.
type rawConn struct {
	t testing.TB
	net.Conn
	*http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

// dialRaw connects by TLS and sends preface and settings.
func dialRaw(t testing.TB, addr string, config *tls.Config) *rawConn {
	t.Helper()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := &rawConn{t: t, Conn: conn, Framer: http2.NewFramer(conn, conn)}
	r.enc = hpack.NewEncoder(&r.block)
	r.must(conn.SetDeadline(time.Now().Add(patience)))
	_, err = conn.Write([]byte(http2.ClientPreface))
	r.must(err)
	r.must(r.WriteSettings())
	return r
}

func (r *rawConn) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// call opens a stream for a gRPC method and sends no message.
func (r *rawConn) call(stream uint32, path string, more ...hpack.HeaderField) {
	r.t.Helper()
	r.block.Reset()
	for _, field := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: path},
		{Name: ":authority", Value: "localhost"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}, more...) {
		r.must(r.enc.WriteField(field))
	}
	const frame = 16 << 10
	first, rest := r.block.Next(frame), r.block.Bytes()
	r.must(r.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndHeaders: len(rest) == 0}))
	for len(rest) > 0 {
		n := min(frame, len(rest))
		r.must(r.WriteContinuation(stream, n == len(rest), rest[:n]))
		rest = rest[n:]
	}
}

// until reads frames until one is wanted, and answers what the protocol wants answered.
func (r *rawConn) until(what string, wanted func(http2.Frame) bool) {
	r.t.Helper()
	for {
		frame, err := r.ReadFrame()
		var stream http2.StreamError
		if errors.As(err, &stream) {
			continue
		}
		if err != nil {
			r.t.Fatalf("waiting for %s: %v", what, err)
		}
		if wanted(frame) {
			return
		}
		if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
			r.must(r.WriteSettingsAck())
		}
	}
}
