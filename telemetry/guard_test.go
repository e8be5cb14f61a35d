package telemetry_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/telemetry"
)

// custom is a collector of a service.
type custom struct {
	describe func(chan<- *prometheus.Desc)
	collect  func(chan<- prometheus.Metric)
}

func (c *custom) Describe(ch chan<- *prometheus.Desc) {
	if c.describe != nil {
		c.describe(ch)
	}
}
func (c *custom) Collect(ch chan<- prometheus.Metric) { c.collect(ch) }

func unchecked(collect func(chan<- prometheus.Metric)) *custom { return &custom{collect: collect} }

// badMetric writes itself into a T, which is what every metric does.
type badMetric[T any] struct {
	desc  *prometheus.Desc
	write func(out any) error
}

func (m badMetric[T]) Desc() *prometheus.Desc { return m.desc }
func (m badMetric[T]) Write(out *T) error     { return m.write(out) }

func bad(desc *prometheus.Desc, write func(out any) error) prometheus.Metric {
	return badLike(good().Write, desc, write)
}

func badLike[T any](_ func(*T) error, desc *prometheus.Desc, write func(out any) error) prometheus.Metric {
	return any(badMetric[T]{desc, write}).(prometheus.Metric)
}

// nilParts writes a histogram with a bucket of nil, and a label of nil.
func nilParts(out any) error {
	metric := reflect.ValueOf(out).Elem()
	histogram := reflect.New(metric.FieldByName("Histogram").Type().Elem())
	for _, list := range []reflect.Value{metric.FieldByName("Label"), histogram.Elem().FieldByName("Bucket")} {
		list.Set(reflect.MakeSlice(list.Type(), 1, 1))
	}
	metric.FieldByName("Histogram").Set(histogram)
	return nil
}

var theirs = prometheus.NewDesc("theirs", "Theirs.", nil, nil)

func good() prometheus.Metric { return prometheus.MustNewConstMetric(theirs, prometheus.GaugeValue, 1) }

// wrappers are the ways to a registerer.
var wrappers = map[string]func(prometheus.Registerer) prometheus.Registerer{
	"direct": func(r prometheus.Registerer) prometheus.Registerer { return r },
	"labels": func(r prometheus.Registerer) prometheus.Registerer {
		return prometheus.WrapRegistererWith(prometheus.Labels{"part": "x"}, r)
	},
	"prefix": func(r prometheus.Registerer) prometheus.Registerer {
		return prometheus.WrapRegistererWithPrefix("own_", r)
	},
	"both": func(r prometheus.Registerer) prometheus.Registerer {
		return prometheus.WrapRegistererWithPrefix("own_", prometheus.WrapRegistererWith(prometheus.Labels{"part": "x"}, r))
	},
}

func TestACollectorThatFailsCostsItsOwnSeries(t *testing.T) {
	for name, test := range map[string]struct {
		collector prometheus.Collector
		reason    string
	}{
		"panic":        {unchecked(func(chan<- prometheus.Metric) { panic("broken") }), "panic"},
		"panic of nil": {unchecked(func(chan<- prometheus.Metric) { panic(nil) }), "panic"},
		"wrong labels": {unchecked(func(ch chan<- prometheus.Metric) {
			ch <- prometheus.MustNewConstMetric(theirs, prometheus.GaugeValue, 1, "one too many")
		}), "panic"},
		"exit":       {unchecked(func(chan<- prometheus.Metric) { runtime.Goexit() }), "exit"},
		"nil metric": {unchecked(func(ch chan<- prometheus.Metric) { ch <- nil }), "panic"},
		"nil desc":   {unchecked(func(ch chan<- prometheus.Metric) { ch <- bad(nil, nil) }), "panic"},
		"Write":      {unchecked(func(ch chan<- prometheus.Metric) { ch <- bad(theirs, func(any) error { panic("x") }) }), "panic"},
		"Write exits": {unchecked(func(ch chan<- prometheus.Metric) {
			ch <- bad(theirs, func(any) error { runtime.Goexit(); return nil })
		}), "exit"},
		"gauge func": {prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "theirs_func"}, func() float64 { panic("x") }), "panic"},
		"counter func": {
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "theirs_func"}, func() float64 { runtime.Goexit(); return 0 }), "exit",
		},
		"invalid": {unchecked(func(ch chan<- prometheus.Metric) { ch <- prometheus.NewInvalidMetric(theirs, errors.New("broken")) }), "invalid"},
		"error": {unchecked(func(ch chan<- prometheus.Metric) {
			ch <- bad(theirs, func(any) error { return errors.New("x") })
		}), "invalid"},
		"empty":      {unchecked(func(ch chan<- prometheus.Metric) { ch <- bad(theirs, func(any) error { return nil }) }), "invalid"},
		"duplicates": {unchecked(func(ch chan<- prometheus.Metric) { ch <- good(); ch <- good() }), "invalid"},
		"nil parts":  {unchecked(func(ch chan<- prometheus.Metric) { ch <- bad(theirs, nilParts) }), "invalid"},
		"bad label": {unchecked(func(ch chan<- prometheus.Metric) {
			ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("theirs", "Theirs.", nil, prometheus.Labels{"l": "\xff"}), prometheus.GaugeValue, 1)
		}), ""},
	} {
		for way, wrap := range wrappers {
			t.Run(name+"/"+way, func(t *testing.T) {
				out := &buffer{}
				tel := start(t, telemetry.Config{Output: out})
				wrap(tel.Registerer()).MustRegister(test.collector)
				for range 3 {
					if text := scrape(t, tel); !strings.Contains(text, "go_goroutines ") || !strings.Contains(text, "target_info") {
						t.Fatal("the other metrics are gone")
					}
				}
				if test.reason != "" && sample(t, tel, fmt.Sprintf("chassis_collector_failures_total{reason=%q}", test.reason)) < 3 {
					t.Errorf("not counted as %s", test.reason)
				}
				flush(t, tel)
				if n := strings.Count(out.String(), `"level":"ERROR"`); n != 1 {
					t.Errorf("%d ERROR lines, want one a minute: %s", n, out)
				}
				if test.reason != "invalid" && test.reason != "" && !strings.Contains(out.String(), fmt.Sprintf(`"collector":"%T"`, test.collector)) {
					t.Errorf("the log does not name the collector: %s", out)
				}
			})
		}
	}
}

func TestWhatACollectorSentBeforeItPanickedStays(t *testing.T) {
	tel := start(t, telemetry.Config{})
	tel.Registerer().MustRegister(unchecked(func(ch chan<- prometheus.Metric) { ch <- good(); panic("broken") }))
	if got := sample(t, tel, "theirs"); got != 1 {
		t.Errorf("theirs = %v, want 1", got)
	}
}

func TestADescribeThatFailsIsAnErrorOfTheRegistration(t *testing.T) {
	for name, describe := range map[string]func(chan<- *prometheus.Desc){
		"panic": func(chan<- *prometheus.Desc) { panic("broken") },
		"exit":  func(chan<- *prometheus.Desc) { runtime.Goexit() },
		"nil":   func(ch chan<- *prometheus.Desc) { ch <- nil },
		"endless": func(ch chan<- *prometheus.Desc) {
			for {
				ch <- theirs
			}
		},
	} {
		for way, wrap := range wrappers {
			t.Run(name+"/"+way, func(t *testing.T) {
				tel := start(t, telemetry.Config{})
				c := &custom{describe: describe, collect: func(ch chan<- prometheus.Metric) { ch <- good() }}
				if err := wrap(tel.Registerer()).Register(c); err == nil || !strings.Contains(err.Error(), "*telemetry_test.custom") {
					t.Errorf("Register = %v, want an error that names the collector", err)
				}
				if wrap(tel.Registerer()).Unregister(c) {
					t.Error("Unregister = true for what was not registered")
				}
				scrape(t, tel)
			})
		}
	}
	tel := start(t, telemetry.Config{})
	for _, c := range []prometheus.Collector{nil, (*custom)(nil)} {
		if err := tel.Registerer().Register(c); err == nil {
			t.Errorf("Register(%#v) = nil, want an error", c)
		}
	}
}

func TestADescribeThatHangsHoldsUpNoScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := start(t, telemetry.Config{})
		release := make(chan struct{})
		err := tel.Registerer().Register(&custom{describe: func(chan<- *prometheus.Desc) { <-release }})
		if err == nil || !strings.Contains(err.Error(), "5s") {
			t.Errorf("Register = %v, want an error after 5 s", err)
		}
		scrape(t, tel)
		close(release)
	})
}

func TestACollectorThatHangs(t *testing.T) {
	for name, hang := range map[string]func(release chan struct{}) prometheus.Collector{
		"before its series": func(release chan struct{}) prometheus.Collector {
			return unchecked(func(ch chan<- prometheus.Metric) { <-release; ch <- good() })
		},
		"after its series": func(release chan struct{}) prometheus.Collector {
			return unchecked(func(ch chan<- prometheus.Metric) { ch <- good(); <-release })
		},
		"before many": func(release chan struct{}) prometheus.Collector {
			return unchecked(func(ch chan<- prometheus.Metric) {
				<-release
				for i := range 1000 {
					ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("theirs", "", []string{"i"}, nil), prometheus.GaugeValue, 1, fmt.Sprint(i))
				}
			})
		},
		"in a function": func(release chan struct{}) prometheus.Collector {
			return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "theirs"}, func() float64 { <-release; return 1 })
		},
	} {
		for way, wrap := range wrappers {
			t.Run(name+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { hangs(t, wrap, hang) })
			})
		}
	}
}

func hangs(t *testing.T, wrap func(prometheus.Registerer) prometheus.Registerer, hang func(chan struct{}) prometheus.Collector) {
	t.Helper()
	tel := start(t, telemetry.Config{})
	release := make(chan struct{})
	wrap(tel.Registerer()).MustRegister(hang(release))
	synctest.Wait()
	begin := time.Now()
	if text := scrape(t, tel); !strings.Contains(text, "go_goroutines ") || strings.Contains(text, "\ntheirs") {
		t.Error("the first scrape lacks the others, or has the series")
	}
	if took := time.Since(begin); took != 5*time.Second {
		t.Errorf("the first scrape took %v, want the 5 s that a collector has", took)
	}
	for range 20 {
		time.Sleep(time.Second)
		begin = time.Now()
		scrape(t, tel)
		if took := time.Since(begin); took != 0 {
			t.Errorf("a later scrape took %v, want it not to wait", took)
		}
	}
	synctest.Wait()
	if left := collections(); left != 1 {
		t.Errorf("%d goroutines are left behind, want 1", left)
	}
	if n := sample(t, tel, `chassis_collector_failures_total{reason="timeout"}`); n < 21 {
		t.Errorf("%v timeouts counted, want 21", n)
	}
	close(release)
	time.Sleep(time.Second)
	if text := scrape(t, tel); !strings.Contains(text, "theirs") {
		t.Error("the series are not there again")
	}
	synctest.Wait()
	if left := collections(); left != 0 {
		t.Errorf("%d goroutines are left behind, want none", left)
	}
}

// collections counts the goroutines that collect.
func collections() int {
	all := make([]byte, 1<<20)
	return strings.Count(string(all[:runtime.Stack(all, true)]), "telemetry.(*collection).run(")
}

// A late collector must come to its end also where nothing scrapes any more: it may hold a lock of
// the service.
func TestALateCollectorIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := start(t, telemetry.Config{})
		var ended atomic.Bool
		tel.Registerer().MustRegister(unchecked(func(ch chan<- prometheus.Metric) {
			time.Sleep(20 * time.Second)
			for range 5000 {
				ch <- good()
			}
			ended.Store(true)
		}))
		scrape(t, tel)
		time.Sleep(20 * time.Second)
		if !ended.Load() {
			t.Error("the collector hangs at what it sends")
		}
	})
}

func TestACollectorThatSendsWithoutEnd(t *testing.T) {
	tel := start(t, telemetry.Config{})
	metric := good()
	release := make(chan struct{})
	defer close(release)
	tel.Registerer().MustRegister(unchecked(func(ch chan<- prometheus.Metric) {
		for {
			select {
			case ch <- metric:
			case <-release:
				return
			}
		}
	}))
	for range 2 {
		if text := scrape(t, tel); !strings.Contains(text, "go_goroutines ") || strings.Contains(text, "\ntheirs ") || len(text) > 1<<20 {
			t.Errorf("%d bytes, want the others alone", len(text))
		}
	}
	if n := sample(t, tel, `chassis_collector_failures_total{reason="too_many"}`); n < 2 {
		t.Errorf("counted %v times, want 2", n)
	}
}

func TestScrapesAtOnceShareACollection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := start(t, telemetry.Config{})
		calls := 0
		prometheus.WrapRegistererWith(prometheus.Labels{"part": "x"}, tel.Registerer()).MustRegister(unchecked(func(ch chan<- prometheus.Metric) {
			calls++
			time.Sleep(time.Second)
			ch <- good()
		}))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				families, err := tel.Registry().Gather()
				if err != nil || len(families) == 0 {
					t.Errorf("%d families, %v", len(families), err)
				}
			})
		}
		all.Wait()
		if calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
	})
}

func TestRegistererIsARegistry(t *testing.T) {
	for way, wrap := range wrappers {
		t.Run(way, func(t *testing.T) {
			tel := start(t, telemetry.Config{})
			r := wrap(tel.Registerer())
			c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c_total", Help: "c"}, []string{"l"})
			again := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c_total", Help: "c"}, []string{"l"})
			if err := r.Register(c); err != nil {
				t.Fatal(err)
			}
			already, ok := errors.AsType[prometheus.AlreadyRegisteredError](r.Register(again))
			if !ok || already.ExistingCollector != c {
				t.Errorf("the second registration = %v, want AlreadyRegisteredError with the first collector", already)
			}
			if way == "direct" && already.NewCollector != again {
				t.Error("NewCollector is not the collector given")
			}
			c.WithLabelValues("v").Add(3)
			if text := scrape(t, tel); !strings.Contains(text, `c_total{`) || !strings.Contains(text, "} 3.0\n") {
				t.Error("the series is not there")
			}
			if !r.Unregister(again) || r.Unregister(c) {
				t.Error("Unregister does not find the equal collector, or finds it twice")
			}
			if strings.Contains(scrape(t, tel), "c_total") {
				t.Error("the series is there after Unregister")
			}
			if err := r.Register(prometheus.NewGauge(prometheus.GaugeOpts{Name: "c_total", Help: "other"})); err == nil {
				t.Error("a metric with other labels is accepted")
			}
		})
	}
}

func TestExemplarsPassTheGuard(t *testing.T) {
	tel := start(t, telemetry.Config{})
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h_seconds", Buckets: []float64{1}})
	tel.Registerer().MustRegister(h)
	h.(prometheus.ExemplarObserver).ObserveWithExemplar(.5, prometheus.Labels{"trace_id": "4bf1"})
	if text := scrape(t, tel); !strings.Contains(text, `h_seconds_bucket{le="1.0"} 1 # {trace_id="4bf1"} 0.5`) {
		t.Error("no exemplar in /metrics")
	}
}

func TestACallbackOfAMeterThatFails(t *testing.T) {
	for name, callback := range map[string]func(){
		"panic": func() { panic("broken") },
		"exit":  runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			tel := start(t, telemetry.Config{})
			meter := tel.MeterProvider().Meter("library")
			gauge, err := meter.Int64ObservableGauge("library.size")
			if err != nil {
				t.Fatal(err)
			}
			// By reflection, as the package that names the callback's type would be one more direct
			// requirement of the module.
			register := reflect.ValueOf(meter.RegisterCallback)
			observe := reflect.MakeFunc(register.Type().In(0), func([]reflect.Value) []reflect.Value {
				callback()
				return []reflect.Value{reflect.Zero(reflect.TypeFor[error]())}
			})
			if err, _ := register.Call([]reflect.Value{observe, reflect.ValueOf(gauge)})[1].Interface().(error); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if !strings.Contains(scrape(t, tel), "go_goroutines ") {
					t.Error("the other metrics are gone")
				}
			}
		})
	}
}
