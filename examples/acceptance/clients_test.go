package acceptance_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// within returns a context for one call, long enough for a busy machine.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// developer returns what a client needs in development: the certificate that the service has put on
// disk for it.
func (p *process) developer() *tls.Config {
	p.t.Helper()
	dir := filepath.Join(p.home, ".local", "state", "paddock", "ca")
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		p.t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		p.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, ServerName: "localhost", MinVersion: tls.VersionTLS13}
}

// dial returns a connection to target that is closed at the end of the test.
func dial(t testing.TB, target string, config *tls.Config, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	opts = append([]grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(config))}, opts...)
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// client returns a client of the service in development.
func (p *process) client() hellov1.HelloServiceClient {
	p.t.Helper()
	return hellov1.NewHelloServiceClient(dial(p.t, p.grpc, p.developer()))
}

// tryCall makes one call by a connection of its own.
func tryCall(ctx context.Context, addr string, creds credentials.TransportCredentials) error {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = hellov1.NewHelloServiceClient(conn).SayHello(ctx, &hellov1.SayHelloRequest{})
	return err
}

// newHTTPClient returns a client that keeps its connections for the next call.
func newHTTPClient(t testing.TB, config *tls.Config) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: patience, Transport: transport}
}

// answer is what REST answers.
type answer struct {
	status int
	header http.Header
	body   string
	closed bool // the connection is not to be used again
}

func fetch(client *http.Client, method, url, body string) (answer, error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	return do(client, request)
}

func do(client *http.Client, request *http.Request) (answer, error) {
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(all), response.Close}, err
}

// traced returns a context whose call is sampled as part of a trace of its own.
func traced(ctx context.Context) (_ context.Context, traceID string) {
	traceID = randomHex(16)
	return metadata.AppendToOutgoingContext(ctx, "traceparent", "00-"+traceID+"-"+randomHex(8)+"-01"), traceID
}

func randomHex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + rand.IntN(255))
	}
	return hex.EncodeToString(b)
}

// load is calls at a steady rate. Those that fail are remembered.
type load struct {
	stop    chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	done   int
	failed []string
	traces []string // of the calls that were done
}

// startLoad makes rate calls a second, at most atOnce of them at a time: a machine that is too busy
// for them is given fewer, and not a queue that grows until calls miss their deadlines. A call
// returns its trace id, empty for none.
func startLoad(rate, atOnce int, call func(context.Context) (traceID string, err error)) *load {
	l := &load{stop: make(chan struct{})}
	room := make(chan struct{}, atOnce)
	l.running.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(rate))
		defer ticker.Stop()
		for {
			select {
			case <-l.stop:
				return
			case <-ticker.C:
			}
			select {
			case room <- struct{}{}:
				l.running.Go(func() {
					defer func() { <-room }()
					l.one(call)
				})
			default: // the machine is too busy
			}
		}
	})
	return l
}

func (l *load) one(call func(context.Context) (string, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	traceID, err := call(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	if err != nil {
		l.failed = append(l.failed, fmt.Sprintf("%s: %v", time.Now().UTC().Format(time.RFC3339Nano), err))
	} else if traceID != "" {
		l.traces = append(l.traces, traceID)
	}
}

// count returns the calls that were done so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

// end stops the load, waits for the calls under way and reports those that failed.
func (l *load) end(t testing.TB, what string) {
	t.Helper()
	close(l.stop)
	l.running.Wait()
	if len(l.failed) > 0 {
		t.Errorf("%d of %d calls by %s failed, the first: %s", len(l.failed), l.done, what, l.failed[0])
	}
	t.Logf("%s: %d calls, %d failed", what, l.done, len(l.failed))
}

// inParallel runs call for each number below n, some at a time.
func inParallel(n, atOnce int, call func(i int)) {
	var all sync.WaitGroup
	for worker := range atOnce {
		all.Go(func() {
			for i := worker; i < n; i += atOnce {
				call(i)
			}
		})
	}
	all.Wait()
}

// streams are calls of Count that go on for longer than any test.
type streams struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	received []int   // messages by stream
	ended    []error // how each ended
}

// openStreams opens n streams, ten on a connection, and waits until each has had a message.
func openStreams(t testing.TB, n int, connect func() hellov1.HelloServiceClient) *streams {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s := &streams{cancel: cancel, received: make([]int, n), ended: make([]error, n)}
	var client hellov1.HelloServiceClient
	for i := range n {
		if i%10 == 0 {
			client = connect()
		}
		stream, err := client.Count(ctx, &hellov1.CountRequest{Times: 1000, PauseMs: 50})
		if err != nil {
			t.Fatal(err)
		}
		s.running.Go(func() { s.follow(i, stream) })
	}
	s.awaitProgress(t)
	return s
}

func (s *streams) follow(i int, stream grpc.ServerStreamingClient[hellov1.CountResponse]) {
	for {
		_, err := stream.Recv()
		s.mu.Lock()
		if err != nil {
			s.ended[i] = err
			s.mu.Unlock()
			return
		}
		s.received[i]++
		s.mu.Unlock()
	}
}

// awaitProgress waits until every stream has had another message, and fails if one has ended.
func (s *streams) awaitProgress(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	before := append([]int(nil), s.received...)
	s.mu.Unlock()
	await(t, "another message on every stream", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		all := true
		for i := range before {
			if s.ended[i] != nil {
				t.Fatalf("stream %d ended: %v", i, s.ended[i])
			}
			all = all && s.received[i] > before[i]
		}
		return all
	})
}
