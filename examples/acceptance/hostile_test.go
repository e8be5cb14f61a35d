package acceptance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// These clients have a good certificate, and take what they can get with it. None runs beside other
// tests, whose machine they would take away.

// answersNewClients makes calls by new connections, and tells what the slowest took: far below a
// second on an idle machine.
func (p *process) answersNewClients(when string) {
	p.t.Helper()
	var slowest time.Duration
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		begun := time.Now()
		if err := tryCall(ctx, p.grpc, credentials.NewTLS(p.developer())); err != nil {
			p.t.Errorf("%s: a new client has no answer: %v", when, err)
		}
		slowest = max(slowest, time.Since(begun))
		cancel()
	}
	p.t.Logf("%s: new clients have their answer within %s", when, slowest.Round(time.Millisecond))
}

// inUse returns what the process holds of memory for its heap and stacks when all garbage is
// collected.
func (p *process) inUse() float64 {
	p.t.Helper()
	if status, _, err := p.get("/debug/pprof/heap?gc=1"); err != nil || status != http.StatusOK {
		p.t.Fatalf("collecting garbage: status %d, %v", status, err)
	}
	series := p.series()
	return series["go_memstats_heap_alloc_bytes"] + series["go_memstats_stack_inuse_bytes"]
}

// memoryReturns waits until the process holds little of what it took. It never holds quite as
// little as before: the runtime keeps the descriptors of goroutines, and the flight recorder has
// seen something.
func (p *process) memoryReturns(before, during float64) {
	p.t.Helper()
	const room = 16 * mib
	var after float64
	await(p.t, "the memory to return", func() bool {
		after = p.inUse()
		return after-before < max(room, (during-before)/5)
	})
	p.t.Logf("in use: %.1f MiB before, %.1f MiB during, %.1f MiB after", before/mib, during/mib, after/mib)
}

func TestIdleConnections(t *testing.T) {
	connections := 5000
	if testing.Short() {
		connections = 500
	}
	p := start(t, hello)
	p.answersNewClients("before")
	before, config := p.inUse(), h2(p.developer())
	idle, begun := make([]*tls.Conn, connections), time.Now()
	inParallel(connections, 16, func(i int) {
		conn, err := tls.Dial("tcp", p.grpc, config)
		if err != nil {
			t.Errorf("connection %d: %v", i, err)
			return
		}
		idle[i] = conn
		_, _ = io.WriteString(conn, http2.ClientPreface+emptySettings)
		if _, err := io.ReadFull(conn, make([]byte, len(emptySettings))); err != nil { // of the server's settings: it serves
			t.Errorf("connection %d: %v", i, err)
		}
	})
	t.Logf("%d connections in %s", connections, time.Since(begun).Round(time.Millisecond))
	p.answersNewClients("with idle connections")
	during := p.inUse()
	t.Logf("%.1f KiB for each connection", (during-before)/float64(connections)/1024)
	for _, conn := range idle {
		if conn != nil {
			_ = conn.NetConn().Close()
		}
	}
	p.memoryReturns(before, during)
	p.answersNewClients("after them")
}

// emptySettings is a SETTINGS frame without settings.
const emptySettings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

func h2(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	return config
}

// Streams that are opened and reset at once, as fast as they go: CVE-2023-44487.
func TestRapidResets(t *testing.T) {
	const connections, attack = 4, 3 * time.Second
	p := start(t, hello, "CHASSIS_LOG_REQUESTS=failed")
	p.answersNewClients("before")
	before, config := p.inUse(), p.developer()
	var streams, opened atomic.Int64
	var attackers sync.WaitGroup
	begun := time.Now()
	for range connections {
		attackers.Go(func() {
			for time.Since(begun) < attack {
				opened.Add(1)
				resets(p.grpc, config, begun.Add(attack), &streams)
			}
		})
	}
	await(t, "many resets", func() bool { return streams.Load() > 10_000 })
	p.answersNewClients("during the resets")
	during := p.inUse()
	attackers.Wait()
	t.Logf("%d streams reset on %d connections within %s", streams.Load(), opened.Load(), time.Since(begun).Round(time.Millisecond))
	p.answersNewClients("after them")
	p.memoryReturns(before, during)
}

// resets opens and resets streams on one connection until the server has enough or the time has
// come.
func resets(addr string, config *tls.Config, until time.Time, streams *atomic.Int64) {
	conn, err := tls.Dial("tcp", addr, h2(config))
	if err != nil {
		return
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }() // until it is closed
	var frames bytes.Buffer
	frames.WriteString(http2.ClientPreface + emptySettings)
	framer, header := http2.NewFramer(&frames, nil), requestHeader("/hello.v1.HelloService/SayHello")
	for stream := uint32(1); time.Now().Before(until); {
		const atOnce = 200
		for range atOnce {
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header, EndHeaders: true})
			_ = framer.WriteRSTStream(stream, http2.ErrCodeCancel)
			stream += 2
		}
		if _, err := frames.WriteTo(conn); err != nil {
			return
		}
		streams.Add(atOnce)
	}
}

// requestHeader returns the header of a call that needs nothing of what came before it on its
// connection.
func requestHeader(path string) []byte {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	enc.SetMaxDynamicTableSize(0)
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: path},
		{Name: ":authority", Value: "localhost"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	} {
		_ = enc.WriteField(f)
	}
	return block.Bytes()
}

// Streams whose client never reads and never widens the window.
func TestSlowReaders(t *testing.T) {
	const connections, streamsEach, size = 2, 250, 33 << 10
	p := start(t, hello, "CHASSIS_LOG_REQUESTS=failed", "GREETING="+strings.Repeat("x", size))
	p.answersNewClients("before")
	before := p.inUse()
	message, err := proto.Marshal(&hellov1.CountRequest{Times: 1000, PauseMs: 1})
	if err != nil {
		t.Fatal(err)
	}
	readers := make([]*tls.Conn, connections)
	for i := range readers {
		readers[i] = readNothing(t, p, streamsEach, message)
	}
	await(t, "every stream to run", func() bool {
		return p.metric(`chassis_rpc_in_flight{rpc_method="hello.v1.HelloService/Count"}`) == connections*streamsEach
	})
	p.answersNewClients("with slow readers")
	var during float64
	await(t, "the streams to stand still", func() bool {
		last := during
		during = p.inUse()
		return during < 1.01*last
	})
	// gRPC takes 64 KiB and one answer more for a stream, and the handler has one that waits.
	if each := (during - before) / connections / streamsEach; each > 4*(64<<10+size) {
		t.Errorf("a stream that nobody reads holds %.1f KiB", each/1024)
	} else {
		t.Logf("a stream that nobody reads holds %.1f KiB", each/1024)
	}
	p.answersNewClients("with slow readers that stand still")
	for _, conn := range readers {
		_ = conn.NetConn().Close()
	}
	p.memoryReturns(before, during)
	p.answersNewClients("after them")
}

// readNothing opens streams of Count on one connection and leaves them no window.
func readNothing(t *testing.T, p *process, streams uint32, message []byte) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", p.grpc, h2(p.developer()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var frames bytes.Buffer
	frames.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&frames, nil)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	body = append(body, message...)
	for i := range streams {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: requestHeader("/hello.v1.HelloService/Count"), EndHeaders: true})
		_ = framer.WriteData(2*i+1, true, body)
	}
	if _, err := conn.Write(frames.Bytes()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Calls whose header comes and whose message never does: they wait for ever, and nobody waits for
// them.
func TestCallsWithoutAMessage(t *testing.T) {
	const connections, streamsEach = 4, 250
	p := start(t, hello, "CHASSIS_LOG_REQUESTS=failed")
	p.answersNewClients("before")
	before := p.inUse()
	var silent []*tls.Conn
	for range connections {
		silent = append(silent, sayNothing(t, p, streamsEach))
	}
	begun := time.Now()
	await(t, "a new client to be answered", func() bool {
		return tryCall(within(t), p.grpc, credentials.NewTLS(p.developer())) == nil
	})
	t.Logf("a new client is answered %s after the silent ones have come", time.Since(begun).Round(time.Millisecond))
	p.answersNewClients("beside them")
	during := p.inUse()
	for _, conn := range silent {
		_ = conn.NetConn().Close()
	}
	p.memoryReturns(before, during)
	p.answersNewClients("after them")
}

// sayNothing opens calls on one connection and sends no message.
func sayNothing(t *testing.T, p *process, streams uint32) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", p.grpc, h2(p.developer()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var frames bytes.Buffer
	frames.WriteString(http2.ClientPreface + emptySettings)
	framer := http2.NewFramer(&frames, nil)
	for i := range streams {
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: requestHeader("/hello.v1.HelloService/SayHello"), EndHeaders: true})
	}
	if _, err := conn.Write(frames.Bytes()); err != nil {
		t.Fatal(err)
	}
	return conn
}
