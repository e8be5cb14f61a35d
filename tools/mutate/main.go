package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1) //nolint:gocritic // the signals do not matter any more
	}
}

// run is the program without the process.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	most := flags.Int("n", 60, "try `n` changes that compile; 0 for all")
	seed := flags.Uint64("seed", 1, "which changes are tried: `n`")
	jobs := flags.Int("jobs", 2, "try `n` at once")
	timeout := flags.Duration("timeout", 2*time.Minute, "a package's tests have noticed when they take longer")
	least := flags.Float64("least", 95, "fail below this score, in `percent`")
	list := flags.String("equivalent", "", "`file` of changes that make no difference: path | before | after | reason")
	match := flags.String("match", "", "only changes whose lines before or after contain this `text`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	equal, err := readEquivalent(*list)
	if err != nil {
		return err
	}
	all, tests, err := collect(flags.Args(), equal, *match)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	r := runner{folder: folder, timeout: *timeout}
	if err := r.healthy(ctx, tests); err != nil {
		return err
	}
	rand.New(rand.NewPCG(*seed, 0)).Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	fmt.Fprintf(out, "%d changes, %d listed as equivalent; seed %d\n", len(all), equal.met, *seed)
	began := time.Now()
	score, err := tryAll(ctx, r, all, *most, *jobs, out)
	if err != nil {
		return err
	}
	score.print(out, time.Since(began), *jobs)
	if got := score.percent(); got < *least {
		return fmt.Errorf("score %.1f %%, expected at least %.0f %%: have a test notice the changes above, or list those that make no difference", got, *least)
	}
	return nil
}

// collect returns the changes of all targets that are not equivalent, and the packages that are
// tested.
func collect(args []string, equal *equivalent, match string) (all []mutant, tests []string, err error) {
	if len(args) == 0 {
		return nil, nil, errors.New("expected folders or files to change")
	}
	for _, arg := range args {
		t := parseTarget(arg)
		found, err := t.mutants()
		if err != nil {
			return nil, nil, err
		}
		for _, m := range found {
			source, err := os.ReadFile(m.file)
			if err != nil {
				return nil, nil, err
			}
			before, after := m.lines(string(source))
			if strings.Contains(before+"\n"+after, match) && !equal.has(m.name, before, after) {
				all = append(all, m)
			}
		}
		tests = append(tests, t.tests...)
	}
	slices.Sort(tests)
	if len(all) == 0 {
		return nil, nil, errors.New("there is nothing to change")
	}
	return all, slices.Compact(tests), nil
}

// score counts verdicts.
type score map[verdict]int

func (s score) counted() int { return s[killed] + s[timedOut] + s[survived] }

func (s score) percent() float64 {
	return 100 * float64(s[killed]+s[timedOut]) / float64(max(1, s.counted()))
}

func (s score) print(out io.Writer, took time.Duration, jobs int) {
	fmt.Fprintf(out, "score %.1f %%: of %d changes %d were noticed, %d by running too long; %d survived; %d more did not compile\n",
		s.percent(), s.counted(), s[killed]+s[timedOut], s[timedOut], s[survived], s[invalid])
	fmt.Fprintf(out, "%s in all, %s for each change, %d at once\n", took.Round(time.Second),
		(took * time.Duration(jobs) / time.Duration(max(1, s.counted()+s[invalid]))).Round(100*time.Millisecond), jobs)
}

// tryAll tries changes in their order until there are most that compile, 0 for all, and prints
// those that survive.
func tryAll(ctx context.Context, r runner, all []mutant, most, jobs int, out io.Writer) (score, error) {
	var (
		mu     sync.Mutex
		next   int
		under  int // way
		counts = score{}
		failed error
		done   = sync.NewCond(&mu)
		wg     sync.WaitGroup
	)
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		for most > 0 && counts.counted() < most && counts.counted()+under >= most { // one under way may not compile
			done.Wait()
		}
		if failed != nil || next == len(all) || most > 0 && counts.counted() >= most {
			return 0, false
		}
		next++
		under++
		return next - 1, true
	}
	for range max(1, jobs) {
		wg.Go(func() {
			for {
				i, ok := take()
				if !ok {
					return
				}
				v, err := r.try(ctx, i, all[i])
				mu.Lock()
				under--
				if err != nil {
					failed = errors.Join(failed, err)
				} else {
					counts[v]++
				}
				if err == nil && v == survived {
					show(out, all[i])
				}
				done.Broadcast()
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return counts, failed
}

// show prints a change that no test has noticed.
func show(out io.Writer, m mutant) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		fmt.Fprintf(out, "%s:%d: survived, and %v\n", m.name, m.line, err)
		return
	}
	before, after := m.lines(string(source))
	fmt.Fprintf(out, "%s:%d: survived\n\t- %s\n\t+ %s\n", m.name, m.line, before, after)
}
