// Command mutate changes the rules of telemetry/alerts in one place at a time, runs the tests of
// the rules, and prints which changes no test notices:
//
//	go run ./mutate -n 60 -seed 1     from tools/observe; -n 0 tries all
//
// It turns comparisons round, doubles and halves windows, thresholds and the time for which an
// alert waits, and drops and negates label matchers.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/betmakers/paddock/telemetry/alerts"
)

// tests are the test files that a rule file is held by.
var tests = map[string][]string{
	"service.yml": {"slo_test.yml", "slo_slow_test.yml", "alerts_test.yml"},
	"alerts.yml":  {"alerts_test.yml"},
	"days.yml":    {"slo_slow_test.yml", "days_test.yml"},
	"dora.yml":    {"dora_test.yml"},
}

func main() {
	log.SetFlags(0)
	n := flag.Int("n", 60, "how many changes to try; 0 tries all")
	seed := flag.Uint64("seed", 1, "which of them")
	source := flag.String("tests", "../../telemetry/alerts/testdata", "folder of the tests")
	only := flag.String("only", "", "rules whose name has this in it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) // then the score is that of those tried
	defer stop()
	survived, tried, err := run(ctx, *n, *seed, *source, *only)
	if err != nil {
		log.Fatal("mutate: ", err) //nolint:gocritic // nothing is left to stop
	}
	fmt.Printf("%d of %d changes were noticed: %.1f %%\n", tried-survived, tried, 100*float64(tried-survived)/float64(max(tried, 1)))
	if survived > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, n int, seed uint64, source, only string) (survived, tried int, err error) {
	mutants, err := all(only)
	if err != nil {
		return 0, 0, err
	}
	total := len(mutants)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(total, func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
	if n > 0 && n < total {
		mutants = mutants[:n]
	}
	fmt.Printf("%d of %d possible changes\n", len(mutants), total)
	for _, m := range mutants {
		noticed, err := m.noticed(ctx, source)
		if ctx.Err() != nil {
			return survived, tried, nil //nolint:nilerr // it was interrupted, and the score is asked for
		}
		if err != nil {
			return 0, 0, err
		}
		tried++
		if !noticed {
			survived++
			fmt.Println("survived:", m)
		}
	}
	return survived, tried, nil
}

// mutant is one change of one rule.
type mutant struct {
	file, rule, change string
	alert              bool
	content            []byte // of the whole file
}

func (m mutant) String() string { return fmt.Sprintf("%s: %s: %s", m.file, m.rule, m.change) }

// noticed reports whether a test fails with the change.
func (m mutant) noticed(ctx context.Context, source string) (bool, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // of the system for temporary files
	files := alerts.Files()
	files["rules/"+m.file] = m.content
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), content, 0o600); err != nil {
			return false, err
		}
	}
	for _, test := range tests[m.file] {
		content, err := os.ReadFile(filepath.Join(source, test))
		if err != nil {
			return false, err
		}
		if m.alert {
			if content, err = about(content, m.rule); err != nil {
				return false, err
			}
		}
		if content == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, test), content, 0o600); err != nil {
			return false, err
		}
		cmd := exec.CommandContext(ctx, "promtool", "test", "rules", test)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			if !strings.Contains(string(out), "FAILED") {
				return false, fmt.Errorf("%s: %w\n%s", m, err, out)
			}
			return true, nil
		}
	}
	return false, nil
}

// about keeps of a test file the tests that ask for the alert, nil if there are none.
func about(content []byte, alert string) ([]byte, error) {
	var file map[string]any
	if err := yaml.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	cases, _ := file["tests"].([]any)
	cases = slices.DeleteFunc(cases, func(c any) bool {
		text, err := yaml.Marshal(c)
		return err != nil || !strings.Contains(string(text), "alertname: "+alert+"\n")
	})
	if len(cases) == 0 {
		return nil, nil
	}
	file["tests"] = cases
	return yaml.Marshal(file)
}
