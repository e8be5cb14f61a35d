package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/betmakers/paddock/bench/internal/certs"
)

func main() {
	playPart()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stdout))
}

// playPart does not return in a process that was started to be the service, or a neighbour on the
// machine.
func playPart() {
	if shape := os.Getenv(envShape); shape != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		exit(serve(ctx, shape))
	}
	if os.Getenv(envNeighbour) != "" {
		exit(beNeighbour())
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run is the program without the process: it measures what args ask for and writes the tables to
// out.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	names := flags.String("shape", "", "shapes to measure, by comma: honest or overload for all of a table; none for both tables\nhonest: "+
		strings.Join(honestNames(), ", ")+"\noverload: "+strings.Join(overloadShapes, ", "))
	admission := flags.String("admission", "on,report,off", "values of CHASSIS_ADMISSION, beside each other; default for that of the environment")
	timeline := flags.Bool("timeline", false, "print what became of the calls of each half second of an overload, too")
	p := defaultPlan()
	flags.DurationVar(&p.honest, "honest", p.honest, "how long each honest shape lasts")
	flags.DurationVar(&p.overload, "lasts", p.overload, "how long the overload lasts")
	flags.DurationVar(&p.calm, "calm", p.calm, "how long the calls after it are watched")
	flags.DurationVar(&p.peak, "peak", p.peak, "how long the peak is measured at each number of calls at once")
	flags.Float64Var(&p.times, "times", p.times, "the overload, in times of the peak")
	lasts := flags.Duration("soak", 0, "instead of the tables: all honest shapes mixed, for so long")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *lasts > 0 {
		return withCertificates(func(dir certs.Dir) error { return soak(ctx, out, *lasts, dir) })
	}
	first, second, err := choose(*names)
	if err != nil {
		return err
	}
	admissions := strings.Split(*admission, ",")
	return withCertificates(func(dir certs.Dir) error {
		if err := runHonest(ctx, out, p, dir, first, admissions); err != nil {
			return err
		}
		return runOverload(ctx, out, p, dir, second, admissions, *timeline)
	})
}

// choose returns the shapes of either table that names ask for.
func choose(names string) (first []shape, second []string, err error) {
	if names == "" {
		return honestShapes, overloadShapes, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		at := slices.IndexFunc(honestShapes, func(s shape) bool { return s.name == name })
		switch {
		case name == "honest":
			first = append(first, honestShapes...)
		case name == "overload":
			second = append(second, overloadShapes...)
		case at >= 0:
			first = append(first, honestShapes[at])
		case slices.Contains(overloadShapes, name):
			second = append(second, name)
		default:
			return nil, nil, fmt.Errorf("shape %q: expected honest, overload, or some of %v and %v", name, honestNames(), overloadShapes)
		}
	}
	return first, second, nil
}

func runOverload(ctx context.Context, out io.Writer, p plan, dir certs.Dir, shapes, admissions []string, timeline bool) error {
	for _, s := range shapes {
		results, err := measure(ctx, p, dir, s, admissions)
		if err != nil {
			return err
		}
		if err := printTable(out, p, s, results); err != nil {
			return err
		}
		if !timeline {
			continue
		}
		for _, r := range results {
			if err := printTimeline(out, s, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// plan says how much is measured.
type plan struct {
	honest   time.Duration // of each honest shape
	peak     time.Duration // at each number of calls at once
	times    float64       // the overload, in times of the peak
	overload time.Duration
	calm     time.Duration
	deadline time.Duration // of each call
	settle   time.Duration // between the last call and the last look at memory
}

func defaultPlan() plan {
	return plan{
		honest: 20 * time.Second,
		peak:   2 * time.Second, times: 3, overload: 30 * time.Second, calm: 5 * time.Second,
		deadline: 250 * time.Millisecond, settle: 3 * time.Second,
	}
}
