package chassis

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/betmakers/paddock/internal/redact"
	"github.com/betmakers/paddock/internal/settings"
)

// Exit codes of Main. A second signal exits with 128 plus its number, as shells report a killed
// process.
const (
	exitFailed = 1 // the start, a worker or a stop function failed or hung, or a setting is wrong
	exitUsage  = 2 // a flag is wrong
	exitCut    = 3 // stopped, but calls or HTTP requests were cut at the deadline
)

// Main runs service as the whole of a process, and exits with one of these codes:
//
//   - 0 after a clean stop, -help, -version and a -check-config without mistakes
//   - 1 if the service or the check failed
//   - 2 for a wrong flag
//   - 3 if calls outlived the shutdown's deadline
//
// Main owns the process: the service's telemetry becomes the global one of OpenTelemetry, and its
// log becomes that of gRPC and of the packages log and log/slog, unless their destination was set
// before.
//
// SIGTERM and SIGINT stop the service gracefully, a second one exits at once. A second SIGTERM
// within a second of the first counts as the same: some programs signal a process and its group.
// -help lists every setting, -version prints the build, and -check-config reads the settings,
// reports mistakes and exits.
func Main(ctx context.Context, service Service) {
	libraries := new(libraryLogs)
	libraries.takeGRPC()
	os.Exit(run(ctx, service, libraries, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, service Service, libraries *libraryLogs, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet(service.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	version := flags.Bool("version", false, "print the version and exit")
	check := flags.Bool("check-config", false, "check the settings, print errors or values, and exit")
	flags.Usage = func() {}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return printHelp(ctx, service, stdout)
	case err != nil:
		return exitUsage // flags has printed the error
	case flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "%s accepts no arguments, but got %s: settings are environment variables, see -help\n",
			service.Name, redact.Values(fmt.Sprintf("%q", flags.Args())))
		return exitUsage
	case *version:
		return printVersion(service, stdout)
	case *check:
		return checkConfig(ctx, service, stdout, stderr)
	}
	ctx, release := onSignals(ctx)
	defer release()
	i := newInstance(ctx, service)
	i.ownsProcess, i.libraries = true, libraries
	err := i.run(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrCallsCut):
		_, _ = fmt.Fprintln(stderr, redact.Values(err.Error()))
		return exitCut
	default:
		_, _ = fmt.Fprintln(stderr, redact.Values(err.Error()))
		return exitFailed
	}
}

// onSignals returns a context that ends at the first signal. The second signal exits the process
// at once.
func onSignals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signal.Ignore(syscall.SIGPIPE) // a log reader that dies must not take the service with it
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	go func() {
		var first os.Signal
		select {
		case first = <-signals:
			cancel(fmt.Errorf("signal: %s", first))
		case <-done:
			return
		}
		s, asked := secondSignal(signals, first, time.Now().Add(sameSignal), done)
		if !asked {
			return
		}
		_, _ = fmt.Fprintf(os.Stderr, "second signal, %s: exiting at once\n", s)
		number, _ := s.(syscall.Signal)
		os.Exit(128 + int(number))
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// sameSignal is the time in which a second SIGTERM counts as the first one: timeout(1) sends one to
// the process and one to its group.
const sameSignal = time.Second

// secondSignal waits for the signal that ends the process at once. It reports false when done is
// closed before.
func secondSignal(signals <-chan os.Signal, first os.Signal, until time.Time, done <-chan struct{}) (os.Signal, bool) {
	for {
		select {
		case s := <-signals:
			if s != first || s != syscall.SIGTERM || time.Now().After(until) {
				return s, true
			}
		case <-done:
			return nil, false
		}
	}
}

func printHelp(ctx context.Context, service Service, w io.Writer) int {
	_, _ = fmt.Fprintf(w, "%s reads its settings from environment variables.\n\nFlags:\n  -help           print this text and exit\n  -version        print the version and exit\n  -check-config   check the settings, print errors or values, and exit\n\n", service.Name)
	loader := settings.Loader{}
	if theirs, _ := loader.Load(ctx, service.Config); len(theirs) > 0 {
		_, _ = fmt.Fprintf(w, "Settings of %s:\n", service.Name)
		_ = settings.Usage(w, theirs)
		_, _ = fmt.Fprintln(w)
	}
	own, _ := loader.Load(ctx, &Config{})
	_, _ = fmt.Fprintln(w, "Settings of the chassis:")
	_ = settings.Usage(w, own)
	_, _ = fmt.Fprintln(w, "\nOTEL_* variables have their standard meanings. Traces and logs are exported only if OTEL_EXPORTER_OTLP_ENDPOINT is set.")
	return 0
}

func printVersion(service Service, w io.Writer) int {
	_, _ = fmt.Fprintln(w, service.Name)
	for _, fact := range readBuild(service.Version).facts {
		_, _ = fmt.Fprintf(w, "  %-12s %s\n", fact.Key, fact.Value)
	}
	return 0
}

// checkConfig reads the settings only. Certificates and ports are first used by a start.
func checkConfig(ctx context.Context, service Service, stdout, stderr io.Writer) int {
	var cfg configuration
	around := surroundingsOf(ctx)
	if err := cfg.read(ctx, &service, &around); err != nil {
		_, _ = fmt.Fprintln(stderr, redact.Values(err.Error()))
		return exitFailed
	}
	for _, s := range cfg.settings {
		_, _ = fmt.Fprintf(stdout, "%s=%s  (%s)\n", s.Name, s.Value, s.Origin)
	}
	return 0
}
