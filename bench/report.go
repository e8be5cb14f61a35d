package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/betmakers/paddock/bench/internal/cores"
)

// kinds of contenders, a table each.
var kinds = []string{"grpc/", "shape/", "rest/", "client/"}

// report is everything a run found out.
type report struct {
	Machine    machine  `json:"machine"`
	Rounds     int      `json:"rounds"`
	Calls      int      `json:"calls"`
	Seconds    float64  `json:"seconds"`
	Contenders []figure `json:"contenders"`
}

// machine is what the figures depend on.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Apart  bool   `json:"apart"` // server and generator each had a core of their own
	System string `json:"system"`
	Go     string `json:"go"`
	GRPC   string `json:"grpc"`
}

// figure is one contender's line.
type figure struct {
	Name       string   `json:"name"`
	Baseline   string   `json:"baseline"`
	CPU        spread   `json:"cpu_us"`
	CPURatio   spread   `json:"cpu_ratio"`                      // against the baseline, within each round
	LikeRatio  *spread  `json:"cpu_ratio_to_workers,omitempty"` // against bare with as many stream workers
	PlainRatio *spread  `json:"cpu_ratio_to_plaintext,omitempty"`
	Throughput spread   `json:"calls_per_second"`
	ThruRatio  spread   `json:"throughput_ratio"`
	Allocs     spread   `json:"allocs"`
	MoreAllocs float64  `json:"more_allocs"` // median above the baseline's
	Bytes      spread   `json:"bytes"`
	MoreBytes  float64  `json:"more_bytes"`
	Refused    spread   `json:"refused"` // share of the calls
	Samples    []sample `json:"samples"`
}

// spread is a figure over the rounds.
type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

func newReport(results []result, rounds, calls int, took time.Duration) report {
	r := report{Machine: thisMachine(), Rounds: rounds, Calls: calls, Seconds: took.Round(time.Second / 10).Seconds()}
	byName := map[string][]sample{}
	for _, res := range results {
		byName[res.name] = res.samples
	}
	for _, res := range results {
		r.Contenders = append(r.Contenders, newFigure(res, byName))
	}
	return r
}

func newFigure(res result, byName map[string][]sample) figure {
	cpu := func(s sample) float64 { return s.CPU }
	throughput := func(s sample) float64 { return s.Throughput }
	allocs := func(s sample) float64 { return s.Allocs }
	bytes := func(s sample) float64 { return s.Bytes }
	base := byName[res.baseline]
	f := figure{
		Name: res.name, Baseline: res.baseline, Samples: res.samples,
		CPU: over(res.samples, cpu), CPURatio: ratio(res.samples, base, cpu),
		Throughput: over(res.samples, throughput), ThruRatio: ratio(res.samples, base, throughput),
		Allocs: over(res.samples, allocs), Bytes: over(res.samples, bytes),
	}
	f.Refused = over(res.samples, func(s sample) float64 { return s.Refused })
	f.MoreAllocs = f.Allocs.Median - over(base, allocs).Median
	f.MoreBytes = f.Bytes.Median - over(base, bytes).Median
	if like, ok := byName[res.like]; ok {
		against := ratio(res.samples, like, cpu)
		f.LikeRatio = &against
	}
	if plain, ok := byName[strings.Replace(res.baseline, "/mtls/", "/plain/", 1)]; ok && res.tls() {
		against := ratio(res.samples, plain, cpu)
		f.PlainRatio = &against
	}
	return f
}

func over(samples []sample, value func(sample) float64) spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	return spreadOf(values)
}

func ratio(samples, base []sample, value func(sample) float64) spread {
	values := make([]float64, len(samples))
	for i := range samples {
		values[i] = value(samples[i]) / value(base[i])
	}
	return spreadOf(values)
}

// spreadOf sorts values, of which there is at least one.
func spreadOf(values []float64) spread {
	slices.Sort(values)
	n := len(values)
	return spread{Min: values[0], Median: (values[(n-1)/2] + values[n/2]) / 2, Max: values[n-1]}
}

// print writes one table for each kind of contender.
func (r report) print(out io.Writer) error {
	m := r.Machine
	sharing := "server and generator share all cores"
	if m.Apart {
		sharing = "server and generator have one core each"
	}
	fmt.Fprintf(out, "%s, %d cores, %s, %s, grpc-go %s; %s\n", m.CPU, m.Cores, m.System, m.Go, m.GRPC, sharing)
	fmt.Fprintf(out, "%d rounds of %d calls each, interleaved, %.0f s; min median max over the rounds\n",
		r.Rounds, r.Calls, r.Seconds)
	for _, kind := range kinds {
		if err := r.printTable(out, kind); err != nil {
			return err
		}
	}
	for _, f := range r.Contenders {
		if f.Refused.Max > 0 { // what was refused cost less, and its figures are not those of the calls
			fmt.Fprintf(out, "\n%s refused calls, of a turn's: %s\n", f.Name, f.Refused.text("%.3f"))
		}
	}
	return nil
}

func (r report) printTable(out io.Writer, kind string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	header := "\ncontender\tCPU µs/call\tCPU × bare\t× bare-workers\t× plaintext\tcalls/s\t× bare\tallocs\tmore\tbytes\tmore\t"
	for _, f := range r.Contenders {
		if !strings.HasPrefix(f.Name, kind) {
			continue
		}
		if header != "" {
			fmt.Fprintln(table, header)
			header = ""
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%.0f\t%s\t%.1f\t%+.1f\t%.0f\t%+.0f\t\n", f.Name,
			f.CPU.text("%.1f"), f.CPURatio.text("%.2f"), f.LikeRatio.orNone(), f.PlainRatio.orNone(),
			f.Throughput.Median, f.ThruRatio.text("%.2f"),
			f.Allocs.Median, f.MoreAllocs, f.Bytes.Median, f.MoreBytes)
	}
	return table.Flush()
}

func (s spread) text(format string) string {
	return fmt.Sprintf(format+" "+format+" "+format, s.Min, s.Median, s.Max)
}

// orNone is a ratio, or a dash where there is none.
func (s *spread) orNone() string {
	if s == nil {
		return "-"
	}
	return s.text("%.2f")
}

func thisMachine() machine {
	m := machine{
		CPU: cpuModel(), Cores: runtime.NumCPU(), Apart: cores.Find().Apart,
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "google.golang.org/grpc" {
				m.GRPC = dep.Version
			}
		}
	}
	return m
}

// cpuModel is empty-handed outside Linux on x86.
func cpuModel() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}
