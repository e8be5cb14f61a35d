package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	echov1 "github.com/betmakers/paddock/bench/proto/echo/v1"
)

// Who wraps a method's handler wants to see every call end as its caller does. From grpc-go 1.84 on
// the handler of a MethodDesc is called before the request is received, so it sees a request that
// cannot be decoded, which older versions refused before. It does not see that its answer could not
// be sent; the handler of a StreamDesc does.
func TestWhatAHandlerSees(t *testing.T) {
	good := framedMessage(echoRequest.message)
	tests := []struct {
		name   string
		header []hpack.HeaderField
		body   []byte
		seen   string // by the handler, which is not called where it is empty
		stream string // seen by the handler of a StreamDesc where that differs
		frames string
	}{
		{name: "good", body: good, seen: "OK", frames: "HEADERS DATA HEADERS+end 0"},
		{name: "too large", body: framed(bytes.Repeat([]byte("x"), 2000)), seen: "ResourceExhausted", frames: "HEADERS+end 8"},
		{name: "malformed", body: framed([]byte{0xff}), seen: "Internal", frames: "HEADERS+end 13"},
		{name: "no message", seen: "Internal", frames: "HEADERS+end 13"},
		{name: "two messages", body: slices.Concat(good, good), seen: "Internal", frames: "HEADERS+end 13"},
		{name: "cut short", body: good[:20], seen: "Internal", frames: "HEADERS+end 13"},
		{name: "compressed without saying how", body: append([]byte{1}, good[1:]...), seen: "Internal", frames: "HEADERS+end 13"},
		{
			name: "unknown compression", header: []hpack.HeaderField{{Name: "grpc-encoding", Value: "pigeon"}}, body: good,
			seen: "", frames: "HEADERS+end 12", // refused by grpc-go itself, whichever descriptor
		},
		{
			name: "answer too large", body: framed(append([]byte{0x0a, 0x84, 0x07}, bytes.Repeat([]byte("x"), 900)...)),
			seen: "OK", stream: "ResourceExhausted", frames: "HEADERS+end 8",
		},
	}
	for _, test := range tests {
		for _, kind := range []string{"method", "stream"} {
			t.Run(test.name+"/"+kind, func(t *testing.T) {
				seen := make(chan string, 1)
				conn, stop := serveWatched(t, kind, seen)
				frames := rawCall(t, conn, test.header, test.body)
				stop()
				if frames != test.frames {
					t.Errorf("answered %q, expected %q", frames, test.frames)
				}
				want := test.seen
				if kind == "stream" && test.stream != "" {
					want = test.stream
				}
				if got := seenBy(seen); got != want {
					t.Errorf("the handler saw %q, expected %q", got, want)
				}
			})
		}
	}
}

// serveWatched serves Echo with a wrapped handler that tells seen the code of each call. It returns
// a connection, and a function that stops the server and waits for its handlers.
func serveWatched(t *testing.T, kind string, seen chan<- string) (net.Conn, func()) {
	t.Helper()
	desc := watchMethod(echov1.EchoService_ServiceDesc, seen)
	if kind == "stream" {
		desc = watchStream(streamDesc(&echov1.EchoService_ServiceDesc), seen)
	}
	lis := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(1000), grpc.MaxSendMsgSize(500), grpc.WaitForHandlers(true))
	server.RegisterService(desc, &echo{})
	go func() { _ = server.Serve(lis) }()
	t.Cleanup(server.Stop)
	conn, err := lis.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, server.Stop
}

func watchMethod(desc grpc.ServiceDesc, seen chan<- string) *grpc.ServiceDesc {
	method := desc.Methods[0]
	inner := method.Handler
	method.Handler = func(srv any, ctx context.Context, dec func(any) error, i grpc.UnaryServerInterceptor) (any, error) {
		resp, err := inner(srv, ctx, dec, i)
		seen <- status.Code(err).String()
		return resp, err
	}
	desc.Methods = []grpc.MethodDesc{method}
	return &desc
}

func watchStream(desc *grpc.ServiceDesc, seen chan<- string) *grpc.ServiceDesc {
	stream := &desc.Streams[0]
	inner := stream.Handler
	stream.Handler = func(srv any, s grpc.ServerStream) error {
		err := inner(srv, s)
		seen <- status.Code(err).String()
		return err
	}
	return desc
}

func framed(payload []byte) []byte {
	head := []byte{0, 0, 0, byte(len(payload) >> 8), byte(len(payload))}
	return append(head, payload...)
}

// rawCall sends one request and tells which frames came back on its stream, and the status.
func rawCall(t *testing.T, conn net.Conn, header []hpack.HeaderField, body []byte) string {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range append(headersOf(echoRequest.method), header...) {
		_ = encoder.WriteField(f)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err := conn.Write([]byte(http2.ClientPreface))
	for _, write := range []func() error{
		func() error { return framer.WriteSettings() },
		func() error {
			return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
		},
		func() error { return framer.WriteData(1, true, body) },
	} {
		if err == nil {
			err = write()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	var frames []string
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("after %q: %v", frames, err)
		}
		if frame.Header().StreamID != 1 {
			continue
		}
		switch f := frame.(type) {
		case *http2.DataFrame:
			frames = append(frames, "DATA")
		case *http2.MetaHeadersFrame:
			if !f.StreamEnded() {
				frames = append(frames, "HEADERS")
				continue
			}
			return strings.Join(append(frames, "HEADERS+end", grpcStatus(f)), " ")
		case *http2.WindowUpdateFrame:
		default:
			frames = append(frames, fmt.Sprint(frame))
		}
	}
}

func grpcStatus(f *http2.MetaHeadersFrame) string {
	for _, field := range f.Fields {
		if field.Name == "grpc-status" {
			return field.Value
		}
	}
	return "none"
}

// seenBy is empty if the handler, which has ended by now, was never called.
func seenBy(seen <-chan string) string {
	select {
	case code := <-seen:
		return code
	default:
		return ""
	}
}
