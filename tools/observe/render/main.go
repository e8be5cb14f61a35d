package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	log.SetFlags(log.Ltime)
	out := flag.String("out", "", "file for the page; none if empty")
	check := flag.Bool("check", false, "compare with what was planted")
	root := flag.String("root", "../..", "root of the repository")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *out, *check); err != nil {
		log.Fatal("render: ", err) //nolint:gocritic // nothing is left to stop
	}
}

func run(ctx context.Context, root, out string, check bool) (err error) {
	dir, err := os.MkdirTemp("", "paddock-dashboards")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // of the system for temporary files
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	f, err := build(ctx, root, dir)
	if err != nil {
		return err
	}
	defer f.stop()
	prometheus, err := startPrometheus(ctx, dir, f.targets())
	if err != nil {
		return err
	}
	defer prometheus.stop()
	times, err := f.play(ctx)
	if err != nil {
		return err
	}
	var failures []error
	if out != "" {
		empty, err := writePage(ctx, prometheus, times, out)
		if err != nil {
			return err
		}
		log.Printf("%s is written", out)
		for _, panel := range empty {
			log.Printf("no data: %s", panel)
		}
	}
	if check {
		failures = append(failures, compare(ctx, prometheus, times)...)
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("it is not as planted:\n%w", err)
	}
	return nil
}
