package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	if shape := os.Getenv(envShape); shape != "" {
		exit(serve(context.Background(), shape))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run is the program without the process: it measures what args ask for and writes the tables to out.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	shape := flags.String("shape", "pool,cpu", "shapes of the work, one table for each")
	admission := flags.String("admission", "on,off", "values of CHASSIS_ADMISSION, one column for each; default for none, failsafe for failsafe-go's limiter instead")
	timeline := flags.Bool("timeline", false, "print what became of the calls of each half second, too")
	p := defaultPlan()
	flags.DurationVar(&p.overload, "lasts", p.overload, "how long the overload lasts")
	flags.DurationVar(&p.calm, "calm", p.calm, "how long the calls after it are watched")
	flags.DurationVar(&p.peak, "peak", p.peak, "how long the peak is measured at each number of calls at once")
	flags.Float64Var(&p.times, "times", p.times, "the overload, in times of the peak")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for s := range strings.SplitSeq(*shape, ",") {
		results, err := measure(ctx, p, s, strings.Split(*admission, ","))
		if err != nil {
			return err
		}
		if err := printTable(out, p, s, results); err != nil {
			return err
		}
		if !*timeline {
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
	peak     time.Duration // at each number of calls at once
	times    float64       // the overload, in times of the peak
	overload time.Duration
	calm     time.Duration
	deadline time.Duration // of each call
	settle   time.Duration // between the last call and the last look at memory
}

func defaultPlan() plan {
	return plan{
		peak: 2 * time.Second, times: 3, overload: 30 * time.Second, calm: 5 * time.Second,
		deadline: 250 * time.Millisecond, settle: 3 * time.Second,
	}
}
