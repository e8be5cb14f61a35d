package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

func TestRESTStreams(t *testing.T) {
	for _, method := range []string{serverStream, bidiStream} {
		t.Run(method, func(t *testing.T) {
			f, conn := rest(t, testHandlers{stream: func(s grpc.ServerStream) error {
				for {
					in := new(message)
					if err := s.RecvMsg(in); err == io.EOF {
						return nil
					} else if err != nil {
						return err
					}
					if err := s.SendMsg(in); err != nil {
						return err
					}
				}
			}})
			stream := openStream(t, conn, method)
			for i := range 3 {
				if err := stream.SendMsg(fields(t, map[string]any{"i": i})); err != nil {
					t.Fatal(err)
				}
				got := new(message)
				if err := stream.RecvMsg(got); err != nil || got.Fields["i"].GetNumberValue() != float64(i) {
					t.Fatalf("received %v, %v", got, err)
				}
			}
			if err := errors.Join(stream.CloseSend(), stream.CloseSend()); err != nil {
				t.Errorf("CloseSend, twice: %v", err)
			}
			if err := stream.RecvMsg(new(message)); err != io.EOF {
				t.Errorf("RecvMsg() = %v, want io.EOF", err)
			}
			// Generated code sends the one message of a server stream, and then asks RecvMsg how it
			// went.
			if err := stream.SendMsg(new(message)); err != io.EOF && method != serverStream {
				t.Errorf("SendMsg after the end = %v, want io.EOF", err)
			}
			f.wantValue(t, callsMetric, labels{"rpc_method": method[1:], "rpc_status_code": "OK"}, 1)
		})
	}
}

func TestRESTStreamHeaderAndTrailer(t *testing.T) {
	for name, ends := range map[string]func(grpc.ServerStream) error{
		"sent alone":            func(s grpc.ServerStream) error { return s.SendHeader(metadata.Pairs("sent", "1")) },
		"with a message":        func(s grpc.ServerStream) error { return s.SendMsg(new(message)) },
		"without anything else": func(grpc.ServerStream) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			_, conn := rest(t, testHandlers{stream: func(s grpc.ServerStream) error {
				s.SetTrailer(metadata.Pairs("trailer", "1"))
				return errors.Join(s.SetHeader(metadata.Pairs("set", "1")), ends(s))
			}})
			stream := openStream(t, conn, bidiStream)
			header, err := stream.Header()
			if err != nil || len(header["set"]) != 1 {
				t.Errorf("Header() = %v, %v", header, err)
			}
			if err := drainStream(stream); err != nil {
				t.Error(err)
			}
			if trailer := stream.Trailer(); len(trailer["trailer"]) != 1 {
				t.Errorf("Trailer() = %v", trailer)
			}
		})
	}
}

// A handler may write to its message again when SendMsg has returned.
func TestRESTStreamMessagesAreTheReaders(t *testing.T) {
	_, conn := rest(t, testHandlers{stream: func(s grpc.ServerStream) error {
		m := fields(t, map[string]any{"i": 0})
		for i := range 3 {
			m.Fields["i"].GetKind().(*structpb.Value_NumberValue).NumberValue = float64(i)
			if err := s.SendMsg(m); err != nil {
				return err
			}
		}
		return nil
	}})
	stream := openStream(t, conn, serverStream)
	var got [3]message
	for i := range got {
		if err := stream.RecvMsg(&got[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := drainStream(stream); err != nil {
		t.Error(err)
	}
	for i := range got {
		if n := got[i].Fields["i"].GetNumberValue(); n != float64(i) {
			t.Errorf("message %d became %v", i, n)
		}
	}
}

// A client that does not read holds the handler up: nothing is buffered between them.
func TestRESTStreamHoldsAFastHandlerBack(t *testing.T) {
	leakcheck.Check(t)
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		f := newChain(t, testHandlers{stream: func(s grpc.ServerStream) error {
			for ; sent < 5; sent++ {
				if err := s.SendMsg(new(message)); err != nil {
					return err
				}
			}
			return nil
		}})
		stream := openStream(t, f.Conn(inbound.RESTConfig{}), serverStream)
		for read := range 5 {
			synctest.Wait()
			if sent != read {
				t.Fatalf("%d messages sent, of which %d were read", sent, read)
			}
			if err := stream.RecvMsg(new(message)); err != nil {
				t.Fatal(err)
			}
		}
		if err := drainStream(stream); err != nil {
			t.Error(err)
		}
	})
}

// Whatever the handler waits in, it learns that the client has gone.
func TestRESTStreamEndsWithItsClient(t *testing.T) {
	for name, wait := range map[string]func(grpc.ServerStream) error{
		"sending":   func(s grpc.ServerStream) error { return s.SendMsg(new(message)) },
		"receiving": func(s grpc.ServerStream) error { return s.RecvMsg(new(message)) },
		"waiting":   func(s grpc.ServerStream) error { <-s.Context().Done(); return s.Context().Err() },
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			synctest.Test(t, func(t *testing.T) {
				f := newChain(t, testHandlers{stream: wait})
				ctx, cancel := context.WithCancel(t.Context())
				stream, err := f.Conn(inbound.RESTConfig{}).NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, bidiStream)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // until the handler waits
				f.wantValue(t, inFlightMetric, nil, 1)
				cancel()
				synctest.Wait()
				f.wantValue(t, callsMetric, labels{"rpc_status_code": "CANCELLED"}, 1)
				if err := stream.RecvMsg(new(message)); status.Code(err) != codes.Canceled {
					t.Errorf("RecvMsg() = %v, want CANCELLED", err)
				}
			})
		})
	}
}

func TestRESTStreamFails(t *testing.T) {
	for name, tc := range map[string]struct {
		fail   func() error
		code   codes.Code
		panics float64
	}{
		"with a status":      {func() error { return status.Error(codes.NotFound, "no horse") }, codes.NotFound, 0},
		"with a plain error": {func() error { return errors.New(secret) }, codes.Internal, 0},
		"with a panic":       {func() error { panic(secret) }, codes.Internal, 1},
		"by ending itself":   {func() error { runtime.Goexit(); return nil }, codes.Internal, 0},
	} {
		for when, messages := range map[string]int{"at once": 0, "after messages": 2} {
			t.Run(name+" "+when, func(t *testing.T) {
				f, conn := rest(t, testHandlers{stream: func(s grpc.ServerStream) error {
					for range messages {
						if err := s.SendMsg(new(message)); err != nil {
							return err
						}
					}
					return tc.fail()
				}})
				stream := openStream(t, conn, serverStream)
				// The error comes with the header as long as the gateway can still answer with it.
				if _, err := stream.Header(); (err != nil) != (messages == 0) {
					t.Errorf("Header() = %v", err)
				}
				if err := drainStream(stream); status.Code(err) != tc.code || strings.Contains(err.Error(), secret) {
					t.Errorf("the stream ended with %v, want %v", err, tc.code)
				}
				f.wantValue(t, panicsMetric, labels{"where": "rpc"}, tc.panics)
				f.wantValue(t, callsMetric, labels{"rpc_status_code": "OK"}, 0)
				f.wantValue(t, callsMetric, nil, 1)
			})
		}
	}
}

func TestRESTStreamRefuses(t *testing.T) {
	f, conn := rest(t, testHandlers{stream: func(s grpc.ServerStream) error {
		if err := s.SendMsg("text"); status.Code(err) != codes.Internal {
			t.Errorf("the handler's SendMsg of text = %v", err)
		}
		return s.RecvMsg(new(message))
	}})
	stream := openStream(t, conn, bidiStream)
	if err := stream.SendMsg("text"); status.Code(err) != codes.Internal {
		t.Errorf("SendMsg of text = %v", err)
	}
	if err := stream.SendMsg(new(message)); err != nil {
		t.Error(err)
	}
	if err := drainStream(stream); err != nil {
		t.Error(err)
	}
	if err := drainStream(openStream(t, conn, "/no.Such/Method")); status.Code(err) != codes.Unimplemented {
		t.Errorf("a stream of an unknown method ended with %v", err)
	}
	f.wantValue(t, rejectedMetric, labels{"rpc_method": "_OTHER", "reason": "unknown_method"}, 1)
}

func TestRESTStreamDraining(t *testing.T) {
	f, conn := rest(t, testHandlers{stream: func(s grpc.ServerStream) error {
		<-inbound.Draining(s.Context())
		return nil
	}})
	stream := openStream(t, conn, serverStream)
	f.Drain()
	if err := drainStream(stream); err != nil {
		t.Error(err)
	}
}

// A handler may receive every message into the same one, as with gRPC: nothing is left of the one
// before.
func TestRESTStreamIntoOneMessage(t *testing.T) {
	var got []string
	f, viaREST := rest(t, testHandlers{stream: func(s grpc.ServerStream) error {
		in := fields(t, map[string]any{"old": 1})
		in.ProtoReflect().SetUnknown([]byte{0x98, 0x06, 0x2a}) // field 99, varint 42
		for {
			if err := s.RecvMsg(in); err == io.EOF {
				return s.SendMsg(new(message))
			} else if err != nil {
				return err
			}
			got = append(got, fmt.Sprint(in.AsMap(), len(in.ProtoReflect().GetUnknown())))
		}
	}})
	for name, conn := range map[string]grpc.ClientConnInterface{"REST": viaREST, "gRPC": f.serve(t)} {
		got = nil
		stream := openStream(t, conn, clientStream)
		for _, m := range []*message{fields(t, map[string]any{"admin": true, "list": []any{1}}), new(message), fields(t, map[string]any{"b": 2})} {
			if err := stream.SendMsg(m); err != nil {
				t.Fatal(err)
			}
		}
		_ = stream.CloseSend()
		answer := fields(t, map[string]any{"left": "over"})
		if err := stream.RecvMsg(answer); err != nil || len(answer.Fields) != 0 {
			t.Errorf("%s: the answer is %v, %v", name, answer, err)
		}
		if want := []string{"map[admin:true list:[1]] 0", "map[] 0", "map[b:2] 0"}; !slices.Equal(got, want) {
			t.Errorf("%s: the handler got %q, want %q", name, got, want)
		}
	}
}
