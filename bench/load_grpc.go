package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	echov1 "github.com/betmakers/paddock/bench/proto/echo/v1"
)

// grpcCaller speaks just enough HTTP/2 to make unary calls cheaply: one goroutine, no locks, no
// allocations per call. A grpc-go client costs as much CPU as the server, would be the bottleneck,
// and the server's batches of work would then depend on it. Each call has a deadline-free header
// block like grpc-go's own client, without traceparent.
type grpcCaller struct {
	conn   net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	framer *http2.Framer

	encoder *hpack.Encoder
	block   bytes.Buffer
	decoder *hpack.Decoder
	status  string // of the header block that was decoded last

	atOnce   int
	inFlight int
	stream   uint32
	header   []hpack.HeaderField
	body     []byte
	answer   int64 // bytes of an answer's DATA

	sendWindow int64 // of the connection
	received   int64 // bytes of DATA since the last window update
	answered   int64 // bytes of DATA in this run
	refused    int64 // calls in this run
}

// newGRPCCaller returns a caller that makes atOnce calls at once of req, nil for an echo.
func newGRPCCaller(conn net.Conn, atOnce int, req *request) *grpcCaller {
	if req == nil {
		req = &echoRequest
	}
	c := &grpcCaller{
		conn: conn, in: bufio.NewReaderSize(conn, 64<<10), out: bufio.NewWriterSize(conn, 64<<10),
		atOnce: atOnce, stream: 1, sendWindow: 65535,
		header: headersOf(req.method), body: framedMessage(req.message), answer: int64(len(framedMessage(echoRequest.message))),
	}
	c.framer = http2.NewFramer(c.out, c.in)
	c.framer.SetReuseFrames()
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == "grpc-status" {
			c.status = f.Value
		}
	})
	_, _ = c.out.WriteString(http2.ClientPreface) // the writer keeps its first error for Flush
	_ = c.framer.WriteSettings()
	_ = c.framer.WriteWindowUpdate(0, 1<<30)
	return c
}

// request is what a gRPC call sends. The answer is an EchoResponse, which is an EchoRequest by
// another name.
type request struct {
	method  string
	message proto.Message
}

var (
	echoRequest  = request{echov1.EchoService_Echo_FullMethodName, &echov1.EchoRequest{Message: message}}
	storeRequest = request{
		echov1.EchoService_Store_FullMethodName, &echov1.StoreRequest{Message: message, Card: "4111 1111 1111 1111", Pin: "secret-1234"},
	}
)

// framedMessage is a message in gRPC's framing.
func framedMessage(m proto.Message) []byte {
	payload, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	framed := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(payload)))
	return append(framed, payload...)
}

func (c *grpcCaller) call(more func() bool) (refused int, err error) {
	err = c.callAll(more)
	return int(c.refused), err
}

func (c *grpcCaller) callAll(more func() bool) error {
	_ = c.conn.SetDeadline(time.Now().Add(time.Minute))
	calls := int64(0)
	c.answered, c.refused = 0, 0
	open := true
	for {
		for open && c.inFlight < c.atOnce {
			if open = more(); open {
				calls++
				if err := c.send(); err != nil {
					return err
				}
			}
		}
		if c.inFlight == 0 {
			break
		}
		if c.in.Buffered() == 0 {
			if err := c.out.Flush(); err != nil {
				return err
			}
		}
		if err := c.receive(); err != nil {
			return err
		}
	}
	if want := (calls - c.refused) * c.answer; c.answered != want {
		return fmt.Errorf("%d calls were answered with %d bytes, expected %d", calls, c.answered, want)
	}
	return c.out.Flush()
}

func (c *grpcCaller) send() error {
	c.block.Reset()
	for _, f := range c.header {
		if err := c.encoder.WriteField(f); err != nil {
			return err
		}
	}
	if c.sendWindow -= int64(len(c.body)); c.sendWindow < 0 {
		return fmt.Errorf("the server does not open its flow control window")
	}
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: c.stream, BlockFragment: c.block.Bytes(), EndHeaders: true,
	})
	if err != nil {
		return err
	}
	if err := c.framer.WriteData(c.stream, true, c.body); err != nil {
		return err
	}
	c.stream += 2
	c.inFlight++
	return nil
}

func headersOf(method string) []hpack.HeaderField {
	return []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "http"},
		{Name: ":path", Value: method},
		{Name: ":authority", Value: "localhost"},
		{Name: "content-type", Value: "application/grpc"},
		{Name: "user-agent", Value: "bench/1"},
		{Name: "te", Value: "trailers"},
	}
}

// receive handles one frame.
func (c *grpcCaller) receive() error {
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return err
	}
	switch f := frame.(type) {
	case *http2.DataFrame:
		return c.receiveData(f)
	case *http2.HeadersFrame:
		return c.receiveHeaders(f)
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.sendWindow += int64(f.Increment)
		}
	default:
		return fmt.Errorf("unexpected frame: %v", frame)
	}
	return nil
}

func (c *grpcCaller) receiveData(f *http2.DataFrame) error {
	c.answered += int64(len(f.Data()))
	if c.received += int64(f.Length); c.received < 1<<20 {
		return nil
	}
	update := uint32(c.received)
	c.received = 0
	return c.framer.WriteWindowUpdate(0, update)
}

func (c *grpcCaller) receiveHeaders(f *http2.HeadersFrame) error {
	if !f.HeadersEnded() {
		return fmt.Errorf("an answer's headers are longer than one frame")
	}
	c.status = ""
	if _, err := c.decoder.Write(f.HeaderBlockFragment()); err != nil {
		return err
	}
	if !f.StreamEnded() {
		return nil
	}
	switch c.status {
	case "0":
	case "14":
		c.refused++
	default:
		return fmt.Errorf("a call failed: grpc-status is %q", c.status)
	}
	c.inFlight--
	return nil
}

func (c *grpcCaller) close() error { return c.conn.Close() }
