package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	if name := os.Getenv(envServe); name != "" {
		exit(serve(name))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run is the program without the process: it measures what args ask for and writes the report to
// out.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.Int("rounds", 25, "`n` rounds; every contender has one turn in each")
	calls := flags.Int("calls", 10000, "`n` measured calls in each turn")
	only := flags.String("only", "", "contenders whose name matches this `regexp`, and their baselines")
	workers := flags.Bool("stream-workers", false, "measure grpc.NumStreamWorkers instead")
	streamDesc := flags.Bool("stream-desc", false, "measure unary methods registered as streams instead")
	asJSON := flags.Bool("json", false, "print every round as JSON instead of tables")
	asMarkdown := flags.Bool("markdown", false, "print the tables of docs/performance.md as well")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("flag -only: %w", err)
	}
	list := contenders()
	switch {
	case *workers:
		list = workerContenders()
	case *streamDesc:
		list = streamDescContenders()
	}
	list, err = choose(list, pattern)
	if err != nil {
		return err
	}

	began := time.Now()
	results, err := measure(ctx, list, plan{rounds: *rounds, calls: *calls})
	if err != nil {
		return err
	}
	report := newReport(results, *rounds, *calls, time.Since(began))
	if *asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	if err := report.print(out); err != nil || !*asMarkdown {
		return err
	}
	report.markdown(out)
	return nil
}
