package inbound_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

func withTimeout(d time.Duration) func(*setup) { return func(s *setup) { s.Timeout = d } }

// inHandler runs a unary call of a method with a deadline of ten seconds, on a false clock, and
// returns how it ended.
func inHandler(t *testing.T, handler func(t *testing.T, ctx context.Context) error, caller ...time.Duration) error {
	t.Helper()
	leakcheck.Check(t)
	var err error
	synctest.Test(t, func(t *testing.T) {
		f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) { return in, handler(t, ctx) }},
			withTimeout(10*time.Second))
		ctx, cancel := context.WithCancel(context.Background()) // as a transport has it
		defer cancel()
		for _, timeout := range caller {
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		err = f.method(t, unary).Serve(nil, newFakeStream(ctx))
	})
	return err
}

func TestDeadlineIsTheEarlierOne(t *testing.T) {
	for name, tc := range map[string]struct {
		caller []time.Duration
		want   time.Duration
	}{
		"caller has none":    {nil, 10 * time.Second},
		"caller's is later":  {[]time.Duration{time.Minute}, 10 * time.Second},
		"caller's is sooner": {[]time.Duration{time.Second}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			err := inHandler(t, func(t *testing.T, ctx context.Context) error {
				start := time.Now()
				if at, ok := ctx.Deadline(); !ok || at.Sub(start) != tc.want {
					t.Errorf("Deadline() = %v from now, %v, want %v", at.Sub(start), ok, tc.want)
				}
				<-ctx.Done()
				if waited := time.Since(start); waited != tc.want {
					t.Errorf("Done closed after %v, want %v", waited, tc.want)
				}
				return ctx.Err()
			}, tc.caller...)
			if status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("the call ended with %v, want DEADLINE_EXCEEDED", err)
			}
		})
	}
}

func TestNoDeadline(t *testing.T) {
	for _, method := range []string{unary, serverStream, clientStream, bidiStream} {
		t.Run(method, func(t *testing.T) {
			leakcheck.Check(t)
			check := func(ctx context.Context) {
				if at, ok := ctx.Deadline(); ok {
					t.Errorf("Deadline() = %v, want none", at)
				}
			}
			timeout := 10 * time.Second
			if method == unary {
				timeout = 0
			}
			f := newChain(t, testHandlers{
				unary:  func(ctx context.Context, in *message) (*message, error) { check(ctx); return in, nil },
				stream: func(s grpc.ServerStream) error { check(s.Context()); return s.SendMsg(new(message)) },
			}, withTimeout(timeout))
			if err := f.method(t, method).Serve(nil, newFakeStream(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
}

// Most handlers never wait, and pay for no timer.
func TestTimerIsArmedWhenSomebodyWaits(t *testing.T) {
	err := inHandler(t, func(t *testing.T, ctx context.Context) error {
		ctx.Deadline()
		ctx.Value("anything")
		if err := ctx.Err(); err != nil {
			t.Error(err)
		}
		if inbound.Armed(ctx) {
			t.Error("armed before anybody asked for Done")
		}
		first := ctx.Done()
		if !inbound.Armed(ctx) {
			t.Error("not armed after Done")
		}
		if second := ctx.Done(); first != second {
			t.Error("Done returned another channel when asked again")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestErrAgreesWithDone(t *testing.T) {
	for name, doneFirst := range map[string]bool{"Done asked before": true, "Err alone": false} {
		t.Run(name, func(t *testing.T) {
			_ = inHandler(t, func(t *testing.T, ctx context.Context) error {
				if doneFirst {
					ctx.Done()
				}
				time.Sleep(10*time.Second - time.Nanosecond)
				if err := ctx.Err(); err != nil || closed(ctx.Done()) && doneFirst {
					t.Errorf("before the deadline: Err() = %v, done %v", err, closed(ctx.Done()))
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) || !closed(ctx.Done()) {
					t.Errorf("at the deadline: Err() = %v, done %v", err, closed(ctx.Done()))
				}
				if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
					t.Errorf("Cause() = %v", cause)
				}
				return nil
			})
		})
	}
}

func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// A context derived from a call's is cancelled by the timer itself, not by a goroutine that waits
// for it.
func TestDerivedContexts(t *testing.T) {
	_ = inHandler(t, func(t *testing.T, ctx context.Context) error {
		before := runtime.NumGoroutine()
		var derived []context.Context
		for range 50 {
			d, cancel := context.WithCancel(context.WithValue(ctx, callerKey{}, "mine"))
			defer cancel()
			derived = append(derived, d)
		}
		if after := runtime.NumGoroutine(); after != before {
			t.Errorf("%d goroutines for 50 derived contexts, want none", after-before)
		}
		ran := false
		context.AfterFunc(ctx, func() { ran = true })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for _, d := range derived {
			if !errors.Is(d.Err(), context.DeadlineExceeded) || d.Value(callerKey{}) != "mine" {
				t.Fatalf("a derived context has Err() = %v and the value %v", d.Err(), d.Value(callerKey{}))
			}
		}
		if !ran {
			t.Error("AfterFunc did not run at the deadline")
		}
		return nil
	})
}

type callerKey struct{}

func TestValuesPassThrough(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		for _, when := range []string{"before", "after"} {
			if got := ctx.Value(callerKey{}); got != "theirs" {
				t.Errorf("Value() = %v %s the timer is armed, want the transport's", got, when)
			}
			ctx.Done()
		}
		return in, nil
	}}, withTimeout(time.Minute))
	if err := f.method(t, unary).Serve(nil, newFakeStream(context.WithValue(t.Context(), callerKey{}, "theirs"))); err != nil {
		t.Error(err)
	}
}

// The caller's going away ends the handler's context, whether or not the method's deadline is
// armed.
func TestCallerGoesAway(t *testing.T) {
	for name, asked := range map[string]bool{"waiting": true, "asking Err": false} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Check(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
				cancel()
				if asked {
					<-ctx.Done()
				}
				return nil, ctx.Err()
			}}, withTimeout(time.Minute))
			if err := f.method(t, unary).Serve(nil, newFakeStream(ctx)); status.Code(err) != codes.Canceled {
				t.Errorf("the call ended with %v, want CANCELLED", err)
			}
		})
	}
}

// A goroutine that outlives its call sees the context end with it, not only with the transport's.
func TestContextEndsWithTheCall(t *testing.T) {
	leakcheck.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ended := false
		f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
			done := ctx.Done()
			go func() {
				<-done
				if ended = true; !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("after the call: Err() = %v, want context.Canceled", ctx.Err())
				}
			}()
			return in, nil
		}}, withTimeout(10*time.Second))
		if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if !ended {
			t.Error("the context goes on after the call")
		}
	})
}

// Once Err has said why, it says the same for ever.
func TestErrIsFinal(t *testing.T) {
	leakcheck.Check(t)
	synctest.Test(t, func(t *testing.T) {
		caller, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := newChain(t, testHandlers{unary: func(ctx context.Context, _ *message) (*message, error) {
			time.Sleep(10 * time.Second)
			first := ctx.Err()
			cancel()
			if <-ctx.Done(); !errors.Is(first, context.DeadlineExceeded) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("Err() = %v, and %v when the caller had gone too", first, ctx.Err())
			}
			return nil, ctx.Err()
		}}, withTimeout(10*time.Second))
		_ = f.method(t, unary).Serve(nil, newFakeStream(caller))
	})
}

func TestContextIsSafeForConcurrentUse(t *testing.T) {
	_, conn := start(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
		var all sync.WaitGroup
		channels := make([]<-chan struct{}, 8)
		for i := range channels {
			all.Go(func() {
				_ = ctx.Err()
				ctx.Value(callerKey{})
				channels[i] = ctx.Done()
				_ = ctx.Err()
			})
		}
		all.Wait()
		for _, c := range channels {
			if c != channels[0] {
				t.Error("two goroutines got different channels")
			}
		}
		return in, nil
	}}, withTimeout(time.Minute))
	for range 50 {
		if err := conn.Invoke(t.Context(), unary, new(message), new(message)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDraining(t *testing.T) {
	f, conn := start(t, testHandlers{stream: func(s grpc.ServerStream) error {
		<-inbound.Draining(s.Context())
		return status.Error(codes.Unavailable, "go elsewhere")
	}})
	stream := openStream(t, conn, bidiStream)
	f.Drain()
	f.Drain() // again does nothing
	if err := drainStream(stream); status.Convert(err).Message() != "go elsewhere" {
		t.Errorf("the stream ended with %v", err)
	}
	if inbound.Draining(t.Context()) != nil {
		t.Error("Draining of a context without a call is not nil")
	}
}

// A call is begun however little time its caller has left: a service that was slow a moment ago may
// be fast now, and what a call takes depends on what it asks for.
func TestLittleTimeIsNoReasonToRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes, ran := 500*time.Millisecond, 0
		f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
			ran++
			time.Sleep(takes)
			return in, nil
		}})
		serve := func(left time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			return f.method(t, unary).Serve(nil, newFakeStream(ctx))
		}
		for range 100 {
			_ = serve(time.Minute)
		}
		takes, ran = 5*time.Millisecond, 0
		for range 100 {
			if err := serve(20 * time.Millisecond); err != nil {
				t.Fatalf("a call was answered with %v", err)
			}
		}
		if ran != 100 {
			t.Errorf("%d of 100 calls were begun", ran)
		}
	})
}
