package inbound_test

import (
	"context"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// fakeStream is a transport that costs nothing: one message comes in, and what goes out is dropped.
type fakeStream struct {
	ctx    context.Context
	in     *message
	unread bool
	late   time.Duration // until the message comes
}

func newFakeStream(ctx context.Context) *fakeStream {
	return &fakeStream{ctx: ctx, in: new(message), unread: true}
}

func (s *fakeStream) Context() context.Context     { return s.ctx }
func (s *fakeStream) SetHeader(metadata.MD) error  { return nil }
func (s *fakeStream) SendHeader(metadata.MD) error { return nil }
func (s *fakeStream) SetTrailer(metadata.MD)       {}
func (s *fakeStream) SendMsg(any) error            { return nil }

func (s *fakeStream) RecvMsg(m any) error {
	if !s.unread {
		return io.EOF
	}
	s.unread = false
	time.Sleep(s.late) // zero, unless the test has a bubble
	if len(s.in.Fields) > 0 {
		proto.Merge(m.(proto.Message), s.in)
	}
	return nil
}

// openStream starts a streaming call that ends with the test.
func openStream(t testing.TB, conn grpc.ClientConnInterface, method string) grpc.ClientStream {
	t.Helper()
	desc := &grpc.StreamDesc{ClientStreams: method != serverStream, ServerStreams: method != clientStream}
	stream, err := conn.NewStream(t.Context(), desc, method)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// drainStream receives until the stream ends, and returns its status: nil for OK.
func drainStream(stream grpc.ClientStream) error {
	for {
		if err := stream.RecvMsg(new(message)); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
