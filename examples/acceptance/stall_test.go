package acceptance_test

import (
	"syscall"
	"testing"
	"time"

	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

const (
	linesDropped   = `chassis_log_lines_dropped_total{sink="stdout"}`
	spansOverflown = `chassis_spans_dropped_total{reason="queue_full"}`
	spansFailed    = `chassis_spans_dropped_total{reason="export_failed"}`
)

func TestStandardOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	p := start(t, hello)
	client := p.client()

	p.log.hold()
	p.mustCall(client, 10_000) // more lines than the pipe and the buffer hold
	dropped := p.metric(linesDropped)
	if dropped == 0 {
		t.Fatal("no line was dropped")
	}
	p.log.resume()
	// How many are lost is only known when there is room again, so the count of the notices catches
	// up.
	await(t, "the log to say how many lines were lost", func() bool {
		told := 0.0
		for _, e := range p.log.all(line("log lines dropped, standard output was not read")) {
			told += e.number("lines")
		}
		return told > 0 && told == p.metric(linesDropped)
	})
	if bad := p.log.broken(); len(bad) > 0 {
		t.Errorf("%d torn lines, the first: %s", len(bad), bad[0])
	}

	p.log.hold()
	p.mustCall(client, 10_000)
	begun := time.Now()
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code with standard output blocked: %d, expected 0", code)
	}
	t.Logf("ended %s after the signal", time.Since(begun).Round(time.Millisecond))
}

func TestCollectorThatDoesNotTake(t *testing.T) {
	t.Parallel()
	for name, endpoint := range map[string]func(testing.TB) string{"never answers": blackHole, "is gone": nobody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, hello, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint(t), "CHASSIS_LOG_REQUESTS=none")
			client := p.client()
			const calls = 21_000
			p.mustCall(client, 1000)
			before := p.peakMemory()
			p.mustCall(client, calls-1000)
			if grown := p.peakMemory() - before; grown > 64<<20 {
				t.Errorf("memory grew by %d MiB for spans that nobody takes", grown>>20)
			}
			overflown := p.metric(spansOverflown)
			if lost := overflown + p.metric(spansFailed); lost < calls/2 {
				t.Errorf("%v spans counted as dropped, expected most of %d", lost, calls)
			}
			begun := time.Now()
			p.signal(syscall.SIGTERM)
			if code := p.exitCode(); code != 0 {
				t.Errorf("exit code %d, expected 0", code)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %s to end, expected at most the 20 s of CHASSIS_SHUTDOWN_TIMEOUT", took)
			} else {
				t.Logf("ended %s after the signal", took.Round(time.Millisecond))
			}
			if !p.log.has(step("stopped")) {
				t.Error("the log ends too early")
			}
			told := 0.0
			for _, e := range p.log.all(line("telemetry not exported", "signal", "traces")) {
				told += e.number("lost")
			}
			if told+overflown != calls {
				t.Errorf("the log tells of %v lost spans and the metric of %v, but there were %d calls", told, overflown, calls)
			}
		})
	}
}

// mustCall makes n calls, none of which may fail.
func (p *process) mustCall(client hellov1.HelloServiceClient, n int) {
	p.t.Helper()
	ctx := within(p.t)
	inParallel(n, 16, func(int) {
		if _, err := client.SayHello(ctx, &hellov1.SayHelloRequest{Name: "Ann"}); err != nil {
			p.t.Error(err)
		}
	})
	if p.t.Failed() {
		p.t.FailNow()
	}
}
