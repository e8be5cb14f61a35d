package chassis_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis/chassistest"
)

// One of three replicas becomes fifty times slower. Within ten seconds at the most (three on a
// machine with time to spare) it has few calls, as it may be merely cold, and once it is fast again
// it has its share back within twenty, without anybody's hands. It runs in real time;
// internal/balance has the same in no time, with tighter bounds.
func TestDialOneSlowReplica(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	const fast, slow, found, back = 2 * time.Millisecond, 100 * time.Millisecond, 10, 20
	var wallets [3]wallet
	var pause atomic.Int64
	pause.Store(int64(fast))
	addresses := make([]string, len(wallets))
	for i := range wallets {
		wallets[i].answer = func(_ context.Context, text string) (string, error) {
			if i == 1 {
				time.Sleep(time.Duration(pause.Load())) // real time is the thing under test: see above
			} else {
				time.Sleep(fast) // the same
			}
			return text, nil
		}
		addresses[i] = serveTCP(t, &wallets[i])
	}
	d := dials(t, chassistest.Options{Env: env{
		"CHASSIS_MTLS": "off", "CHASSIS_WALLET_TARGET": "listed:///" + strings.Join(addresses, ","), "CHASSIS_LOG_REQUESTS": "none",
	}})
	spell := func(name string, lasts time.Duration) float64 {
		before := wallets[1].calls.Load()
		durations := d.steadily(t, lasts)
		share, p99 := float64(wallets[1].calls.Load()-before)/float64(len(durations)), durations[len(durations)*99/100]
		t.Logf("%-40s %5d calls, share of the slow one %5.2f %%, p99 %s", name, len(durations), 100*share, p99.Round(time.Millisecond/10))
		return share
	}
	spell("warm-up", time.Second)
	spell("all fast", 3*time.Second)
	pause.Store(int64(slow))
	for second := 1; spell(fmt.Sprintf("one slow, second %d", second), time.Second) >= .05; second++ {
		if second == found {
			t.Fatal("the slow replica keeps its calls")
		}
	}
	if share := spell("one slow, from then on", 5*time.Second); share >= .05 {
		t.Errorf("the slow replica has a share of %.2f %%, want less than five", 100*share)
	}
	pause.Store(int64(fast))
	for second := 1; spell(fmt.Sprintf("fast again, second %d", second), time.Second) < .25; second++ {
		if second == back {
			t.Fatal("the replica is fast again and has no calls")
		}
	}
}

// serveTCP serves w on loopback, in plaintext, and returns the address.
func serveTCP(t *testing.T, w *wallet) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&walletDesc, w)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// steadily makes 300 calls a second, whatever becomes of them, and returns how long each took, in
// order.
func (d *dialler) steadily(t *testing.T, lasts time.Duration) (durations []time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var calls sync.WaitGroup
	tick := time.NewTicker(time.Second / 300)
	defer tick.Stop()
	for end := time.Now().Add(lasts); time.Now().Before(end); <-tick.C {
		calls.Go(func() {
			begun := time.Now()
			_, err := d.call(t.Context(), chargeMethod, "")
			took := time.Since(begun)
			mu.Lock()
			defer mu.Unlock()
			if durations = append(durations, took); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	slices.Sort(durations)
	return durations
}
