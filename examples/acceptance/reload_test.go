package acceptance_test

import (
	"context"
	"crypto/tls"
	"errors"
	"math/big"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

const (
	reloadsTaken   = `chassis_certificate_reloads_total{result="ok"}`
	reloadsRefused = `chassis_certificate_reloads_total{result="error"}`
)

func TestCertificatesAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	ours, second := newAuthority(t, "ours"), newAuthority(t, "second")
	caller := ours.client(ours.issue(t, "caller", time.Hour))
	stranger := ours.client(second.issue(t, "stranger", time.Hour))
	f := newFiles(t, ours.issue(t, "hello", time.Hour), ours)
	p := start(t, hello, f.env()...)

	connect := func() hellov1.HelloServiceClient { return hellov1.NewHelloServiceClient(dial(t, p.grpc, caller)) }
	pooled := connect()
	overPooled := startLoad(150, 20, func(ctx context.Context) (string, error) {
		_, err := pooled.SayHello(ctx, &hellov1.SayHelloRequest{})
		return "", err
	})
	overNew := startLoad(50, 20, func(ctx context.Context) (string, error) {
		return "", tryCall(ctx, p.grpc, credentials.NewTLS(caller))
	})
	open := openStreams(t, 50, connect)

	await(t, "load", func() bool { return overPooled.count() > 75 && overNew.count() > 25 })

	t.Log("a new certificate")
	replacement := ours.issue(t, "hello", time.Hour)
	f.setPair(t, replacement)
	p.awaitSerial(caller, replacement.Leaf.SerialNumber)

	t.Log("an authority more")
	p.awaitVerdict(stranger, codes.Unavailable)
	f.setTrust(t, ours, second)
	p.awaitVerdict(stranger, codes.OK)

	t.Log("replacements that are of no use")
	next := ours.issue(t, "hello", time.Hour)
	whole := certPEM(next.Leaf)
	for _, bad := range []struct {
		name string
		make func()
	}{
		{"half a certificate", func() { f.overwrite(t, "tls.crt", whole[:len(whole)/2]) }},
		{"the key of another", func() { f.replace(t, "tls.crt", certPEM(replacement.Leaf)); f.replace(t, "tls.key", keyPEM(t, next)) }},
		{"rubbish", func() { f.overwrite(t, "tls.key", []byte("rubbish\n")) }},
		{"an expired one", func() { f.setPair(t, ours.issue(t, "hello", -time.Minute)) }},
		{"no authorities", func() { f.setPair(t, replacement); f.overwrite(t, "ca.crt", nil) }},
	} {
		refused, told := p.metric(reloadsRefused), len(p.log.all(isRefusedReload))
		bad.make()
		await(t, bad.name+" to be counted", func() bool { return p.metric(reloadsRefused) > refused })
		await(t, bad.name+" to be logged", func() bool { return len(p.log.all(isRefusedReload)) > told })
		if got := p.serial(caller); got.Cmp(replacement.Leaf.SerialNumber) != 0 {
			t.Errorf("%s: serial %x is in force, expected the last good one", bad.name, got)
		}
		p.awaitVerdict(stranger, codes.OK) // nor has the trust changed
	}

	t.Log("a good one, and an authority less")
	f.setPair(t, next)
	f.setTrust(t, ours)
	p.awaitSerial(caller, next.Leaf.SerialNumber)
	p.awaitVerdict(stranger, codes.Unavailable)
	told := p.log.await(t, line("TLS handshake refused", "reason", "unknown_authority"))
	if told.text("peer") == "" || told.text("issuer") != "CN=second" {
		t.Errorf("the refusal does not say who and why: %v", told)
	}
	if p.metric(reloadsTaken) < 3 {
		t.Errorf("%v replacements counted as taken, expected three at least", p.metric(reloadsTaken))
	}

	open.awaitProgress(t)
	overPooled.end(t, "connections from before")
	overNew.end(t, "new connections")
	if overPooled.done == 0 || overNew.done == 0 {
		t.Error("there was no load")
	}
	open.cancel()
	open.running.Wait()
	for i, err := range open.ended {
		if status.Code(err) != codes.Canceled {
			t.Errorf("stream %d was not ended by its client: %v", i, err)
		}
	}
}

// isRefusedReload matches what is logged of a replacement that is of no use.
func isRefusedReload(e entry) bool {
	return e.text("msg") == "certificates not replaced, the last good ones stay in force"
}

// serial returns the serial number of the certificate that a new connection is shown.
func (p *process) serial(config *tls.Config) *big.Int {
	p.t.Helper()
	conn, err := tls.Dial("tcp", p.grpc, config)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber
}

func (p *process) awaitSerial(config *tls.Config, want *big.Int) {
	p.t.Helper()
	begun := time.Now()
	await(p.t, "the new certificate in force", func() bool { return p.serial(config).Cmp(want) == 0 })
	p.t.Logf("in force after %s", time.Since(begun).Round(time.Millisecond))
}

// awaitVerdict waits until a call by a new connection ends with code.
func (p *process) awaitVerdict(config *tls.Config, code codes.Code) {
	p.t.Helper()
	begun := time.Now()
	var last error
	await(p.t, "new connections to be answered with "+code.String(), func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		last = tryCall(ctx, p.grpc, credentials.NewTLS(config))
		return status.Code(last) == code && !errors.Is(ctx.Err(), context.DeadlineExceeded)
	})
	p.t.Logf("%s after %s", code, time.Since(begun).Round(time.Millisecond))
}
