package inbound_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/internal/inbound"
	"github.com/betmakers/paddock/internal/leakcheck"
)

// identity is what a handshake proved of a caller.
type identity string

func (identity) AuthType() string   { return "test" }
func (i identity) Identity() string { return string(i) }

func asPeer(ctx context.Context, id string) context.Context {
	return peer.NewContext(ctx, &peer.Peer{AuthInfo: identity(id)})
}

// A call leaves the same line whether it is written straight as JSON or goes through slog.
func TestLineEqualsRecord(t *testing.T) {
	type variant struct {
		name string
		ctx  context.Context
		err  error
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	variants := []variant{
		{"plain", context.Background(), nil},
		{"refused", gone, nil},
		{"plain error", context.Background(), errors.New(secret)},
		{"panic", context.Background(), errPanic},
	}
	for _, s := range hostile() {
		variants = append(variants, variant{"peer", asPeer(context.Background(), s), nil}, variant{"error", context.Background(), status.Error(codes.NotFound, s)})
	}
	for code := codes.Canceled; code < 20; code++ {
		variants = append(variants, variant{"code", context.Background(), status.Error(code, "text")})
	}
	for _, sampled := range []bool{false, true} {
		for _, v := range variants {
			leakcheck.Check(t)
			sinks := new(logBuffer)
			f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
				if v.err == errPanic {
					panic("boom")
				}
				return in, v.err
			}}, func(s *setup) {
				s.Sinks = sinks.logger()
				if sampled {
					recording(tracetest.NewSpanRecorder(), always)(s)
				}
			})
			_ = f.method(t, unary).Serve(nil, newFakeStream(v.ctx))
			line, record := f.lines.only(t), sinks.only(t)
			for _, r := range []map[string]any{line, record} {
				at, err := time.Parse(time.RFC3339Nano, r["time"].(string))
				if err != nil || time.Since(at) > time.Hour {
					t.Errorf("%s: time %v: %v", v.name, r["time"], err)
				}
				delete(r, "time") // of two different moments
			}
			if !reflect.DeepEqual(line, record) {
				t.Errorf("%s: the line is\n%v\nthe record\n%v", v.name, line, record)
			}
		}
	}
}

var errPanic = errors.New("panic")

// Names of methods come from descriptors, but nothing in them breaks a line.
func TestLineWithHostileMethodName(t *testing.T) {
	for _, name := range hostile() {
		if !utf8.ValidString(name) {
			continue // no label can have it, so that it cannot be registered
		}
		leakcheck.Check(t)
		f := newChain(t, testHandlers{})
		desc := testService()
		desc.ServiceName = name
		f.wrap(t, desc, testHandlers{unary: echo})
		m := f.Methods()[4]
		if err := m.Serve(nil, newFakeStream(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := f.lines.only(t)["method"]; got != name+"/Unary" {
			t.Errorf("logged %q, want %q", got, name+"/Unary")
		}
	}
}

func TestFieldsOfALine(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) {
		return nil, status.Error(codes.NotFound, strings.Repeat("x", 1000))
	}})
	_ = f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), "spiffe://betmakers/client")))
	line := f.lines.only(t)
	for key, want := range map[string]any{
		"level": "INFO", "msg": "call", "method": "test.v1.Test/Unary", "code": "NOT_FOUND", "protocol": "grpc",
		"peer": "spiffe://betmakers/client", "error": strings.Repeat("x", 256) + "…", "trace_flags": "00",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if d, ok := line["duration_seconds"].(float64); !ok || d < 0 {
		t.Errorf("duration_seconds is %v", line["duration_seconds"])
	}
	if f.log.String() != "" {
		t.Errorf("Logger took %s, want nothing where Lines takes the lines", f.log)
	}
}

// A text is cut between characters, never within one.
func TestLongTextIsCutBetweenCharacters(t *testing.T) {
	for lead := range 4 {
		leakcheck.Check(t)
		text := strings.Repeat("x", lead) + strings.Repeat("🐎", 500)
		f := newChain(t, testHandlers{unary: func(context.Context, *message) (*message, error) { return nil, status.Error(codes.NotFound, text) }})
		_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
		got, _ := strings.CutSuffix(f.lines.only(t)["error"].(string), "…")
		if !strings.HasPrefix(text, got) || len(got) < 253 || len(got) > 256 {
			t.Errorf("cut to %d bytes that end in %q", len(got), got[max(0, len(got)-8):])
		}
	}
}

func TestWhichCallsLeaveALine(t *testing.T) {
	level := func(l slog.Level) func(*setup) {
		return func(s *setup) {
			s.Logger = slog.New(slog.NewTextHandler(new(logBuffer), &slog.HandlerOptions{Level: l}))
		}
	}
	requests := func(r inbound.Requests) func(*setup) { return func(s *setup) { s.Requests = r } }
	for name, tc := range map[string]struct {
		change            func(*setup)
		ok, failed, fault int
	}{
		"by default":        {func(*setup) {}, 1, 1, 1},
		"all":               {requests(inbound.LogAll), 1, 1, 1},
		"failed":            {requests(inbound.LogFailed), 0, 1, 1},
		"none":              {requests(inbound.LogNone), 0, 0, 0},
		"level info":        {level(slog.LevelInfo), 1, 1, 1},
		"level warn":        {level(slog.LevelWarn), 0, 0, 1},
		"level above error": {level(slog.LevelError + 1), 0, 0, 0},
		"no logger":         {func(s *setup) { s.Logger = nil }, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for _, call := range []struct {
				err  error
				want int
			}{{nil, tc.ok}, {status.Error(codes.NotFound, ""), tc.failed}, {status.Error(codes.Internal, ""), tc.fault}} {
				leakcheck.Check(t)
				f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { return in, call.err }}, tc.change)
				_ = f.method(t, unary).Serve(nil, newFakeStream(t.Context()))
				if got := len(f.lines.records(t)); got != call.want {
					t.Errorf("a call that ended with %v left %d lines, want %d", call.err, got, call.want)
				}
			}
		})
	}
}

// Calls that were refused for who makes them leave their line whatever the log's level is, in every
// sink, and no other call does. Where no call is to leave a line, they leave none either.
func TestRefusedCallersLeaveALineAboveTheLevel(t *testing.T) {
	const most = slog.LevelError + 100
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelError, most} {
		for name, tc := range map[string]struct {
			peer     string
			requests inbound.Requests
			logged   bool
		}{
			"nobody":             {"", "", true},
			"stranger":           {"spiffe://other/web", "", true},
			"failed ones alone":  {"", inbound.LogFailed, true},
			"none":               {"", inbound.LogNone, false},
			"own":                {"spiffe://test/web", "", level == slog.LevelInfo},
			"own, but malformed": {"spiffe://test/bad", "", level == slog.LevelInfo},
		} {
			leakcheck.Check(t)
			log, sinks := new(logBuffer), new(logBuffer)
			at := func(b *logBuffer) *slog.Logger { // the level is asked for by Enabled alone, as the chassis's pipeline does
				return slog.New(atLevel{slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.Level(-100)}), level})
			}
			f := newChain(t, testHandlers{unary: func(ctx context.Context, in *message) (*message, error) {
				if inbound.CallerOf(ctx).ID == "spiffe://test/bad" {
					return nil, status.Error(codes.InvalidArgument, "")
				}
				return in, nil
			}}, func(s *setup) { s.Logger, s.Sinks, s.Requests = at(log), at(sinks), tc.requests })
			f.SetTrustDomain("test")
			_ = f.method(t, unary).Serve(nil, newFakeStream(asPeer(t.Context(), tc.peer)))
			if lines, records := len(f.lines.records(t)), len(sinks.records(t)); lines != records || (lines == 1) != tc.logged {
				t.Errorf("%s at %s: %d lines and %d records, want one: %v", name, level, lines, records, tc.logged)
			}
		}
	}
}

type atLevel struct {
	slog.Handler
	level slog.Level
}

func (h atLevel) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func TestLoggerTakesTheLogWithoutLines(t *testing.T) {
	leakcheck.Check(t)
	f := newChain(t, testHandlers{unary: echo}, func(s *setup) { s.Lines = nil })
	if err := f.method(t, unary).Serve(nil, newFakeStream(t.Context())); err != nil {
		t.Fatal(err)
	}
	if record := f.log.only(t); record["msg"] != "call" || record["method"] != "test.v1.Test/Unary" {
		t.Errorf("logged %v", record)
	}
}

// Probes and reflection are called every few seconds, by machines.
func TestQuietMethods(t *testing.T) {
	leakcheck.Check(t)
	var err error
	spans := tracetest.NewSpanRecorder()
	f := newChain(t, testHandlers{}, recording(spans, always))
	desc := testService()
	desc.ServiceName = "grpc.health.v1.Health"
	f.wrap(t, desc, testHandlers{unary: func(_ context.Context, in *message) (*message, error) { return in, err }})
	m := f.method(t, "/grpc.health.v1.Health/Unary")
	_ = m.Serve(nil, newFakeStream(t.Context()))
	if got := f.lines.String(); got != "" {
		t.Errorf("a probe that succeeded left %s", got)
	}
	if n := len(spans.Ended()); n != 0 {
		t.Errorf("a probe that succeeded left %d spans", n)
	}
	f.wantValue(t, callsMetric, labels{"rpc_method": "grpc.health.v1.Health/Unary"}, 0)
	err = status.Error(codes.Unavailable, "")
	_ = m.Serve(nil, newFakeStream(t.Context()))
	if line := f.lines.only(t); line["code"] != "UNAVAILABLE" {
		t.Errorf("a probe that failed left %v", line)
	}
}

// Lines of calls that end at one moment do not mix.
func TestLinesOfConcurrentCalls(t *testing.T) {
	f, conn := start(t, testHandlers{
		unary: func(_ context.Context, _ *message) (*message, error) {
			return nil, status.Error(codes.NotFound, strings.Repeat("x", 200))
		},
		stream: func(grpc.ServerStream) error { return nil },
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				_ = conn.Invoke(t.Context(), unary, new(message), new(message))
				_ = drainStream(openStream(t, conn, bidiStream))
			}
		})
	}
	all.Wait()
	if n := len(f.lines.records(t)); n != 800 {
		t.Errorf("%d lines of 800 calls", n)
	}
	f.wantValue(t, callsMetric, nil, 800)
	f.wantValue(t, inFlightMetric, nil, 0)
}
