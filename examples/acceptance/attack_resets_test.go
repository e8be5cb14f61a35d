package acceptance_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// Calls that are begun in great number and reset a moment later take nothing from a caller beside
// them, and leave nothing behind: not of the places of those that run, and not of a resource.
func TestAttackResets(t *testing.T) {
	const connections, calls = 2, 240
	s := startTarget(t, testservice)
	for _, attack := range []struct {
		name, port string
		send       func(*flooder)
	}{
		{"headers by gRPC", "grpc", func(f *flooder) { f.open(false) }},
		{"headers by REST", "rest", func(f *flooder) { f.open(false) }},
		{"half a body by REST", "rest", func(f *flooder) {
			f.open(false, hpack.HeaderField{Name: "content-length", Value: "4194304"})
			_ = f.WriteData(f.stream, false, []byte(`{"name":"`))
		}},
		{"calls that run, by gRPC", "grpc", func(f *flooder) { f.call("slow") }},
		{"calls that run, by REST", "rest", func(f *flooder) { f.call("slow") }},
		{"calls that want a resource, by gRPC", "grpc", func(f *flooder) { f.call("acquire") }},
		{"calls that want a resource, by REST", "rest", func(f *flooder) { f.call("acquire") }},
	} {
		t.Run(attack.name, func(t *testing.T) {
			goroutines := s.series()["go_goroutines"]
			var rounds atomic.Int64
			answered := s.innocent(t, connections, func() {
				if err := s.reset(attack.port, calls, attack.send); err != nil {
					t.Errorf("an attacker: %v", err)
				}
				rounds.Add(1)
			})
			s.calm(t, goroutines)
			series := s.series()
			for _, gauge := range []string{"chassis_admission_running", `chassis_resource_in_use{resource="store"}`, `chassis_resource_queued{resource="store"}`} {
				if series[gauge] != 0 {
					t.Errorf("%s is %v after the attack", gauge, series[gauge])
				}
			}
			if _, err := hellov1.NewHelloServiceClient(dial(t, s.grpc, s.caller)).SayHello(within(t), &hellov1.SayHelloRequest{Name: "acquire-brief"}); err != nil {
				t.Errorf("the resource cannot be had after the attack: %v", err)
			}
			t.Logf("%d innocent calls answered beside %d rounds of %d resets", answered, rounds.Load(), calls)
		})
	}
}

// call makes a whole call with a name.
func (f *flooder) call(name string) {
	if f.port == "rest" {
		f.open(false)
		_ = f.WriteData(f.stream, true, []byte(`{"name":"`+name+`"}`))
		return
	}
	message := append([]byte{1<<3 | 2, byte(len(name))}, name...)
	f.open(false)
	_ = f.WriteData(f.stream, true, append([]byte{0, 0, 0, 0, byte(len(message))}, message...))
}

// reset begins calls on one connection, and resets them 90 ms later.
func (s target) reset(port string, calls int, send func(*flooder)) error {
	conn, err := tls.Dial("tcp", s.addr(port), h2(s.caller))
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }() // until it is closed
	f := newFlooder(port)
	for range calls {
		send(f)
	}
	if _, err := f.frames.WriteTo(conn); err != nil {
		return err
	}
	time.Sleep(90 * time.Millisecond) // as the attack was found, in real time: shorter than what a call may wait
	for stream := uint32(1); stream <= f.stream; stream += 2 {
		_ = f.WriteRSTStream(stream, http2.ErrCodeCancel)
	}
	_, err = f.frames.WriteTo(conn)
	return err
}

// innocent makes calls of both kinds for as long as attacks go on, and 100 at least, each of which
// must be answered. So many attackers attack again and again meanwhile.
func (s target) innocent(t *testing.T, attackers int, attack func()) (answered int64) {
	t.Helper()
	const callers, least = 4, 100
	ctx, end := context.WithCancel(within(t))
	defer end()
	var attacking, calling sync.WaitGroup
	for range attackers {
		attacking.Go(func() {
			for first := true; first || ctx.Err() == nil; first = false {
				attack()
			}
		})
	}
	until := time.Now().Add(2 * attackTime(t))
	client, rest := hellov1.NewHelloServiceClient(dial(t, s.grpc, s.caller)), newHTTPClient(t, s.caller)
	var count atomic.Int64
	for range callers {
		calling.Go(func() {
			for (count.Load() < least || time.Now().Before(until)) && !t.Failed() {
				if _, err := client.SayHello(within(t), &hellov1.SayHelloRequest{Name: "Ann"}); status.Code(err) != codes.OK {
					t.Errorf("an innocent call by gRPC: %v", err)
				}
				got, err := fetch(rest, http.MethodGet, "https://"+s.rest+"/v1/hello/Ann", "")
				if err != nil || got.status != http.StatusOK || !strings.Contains(got.body, "Ann") {
					t.Errorf("an innocent call by REST: %d %s, %v", got.status, got.body, err)
				}
				count.Add(2)
			}
		})
	}
	calling.Wait()
	end()
	attacking.Wait()
	return count.Load()
}

// A caller that gives its calls up before they can be answered says nothing about the service: the
// others are not refused.
func TestAttackHaste(t *testing.T) {
	s := startTarget(t, testservice)
	client := hellov1.NewHelloServiceClient(dial(t, s.grpc, s.caller))
	var given atomic.Int64
	answered := s.innocent(t, 48, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Millisecond)
		defer cancel()
		_, _ = client.SayHello(ctx, &hellov1.SayHelloRequest{Name: "brief"}) // takes 50 ms
		given.Add(1)
	})
	t.Logf("%d innocent calls answered beside %d that were given up", answered, given.Load())
}
