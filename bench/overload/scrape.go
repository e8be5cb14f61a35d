package main

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"strings"
)

// The metrics of the service's own.
const (
	metricBegun      = "overload_works_begun_total"
	metricHandlers   = "overload_handlers"
	metricBefore     = "overload_before_handlers_seconds"
	metricMostBefore = "overload_before_handlers_most_seconds"
)

// And those of the chassis, of all methods together.
const (
	metricHolding  = "chassis_admission_holding"
	metricQueued   = "chassis_admission_queued"
	metricWaited   = "chassis_admission_wait_seconds_total"
	metricRejected = `chassis_rpc_rejected_total{reason="overload"}`
	metricAudited  = `chassis_rpc_audited_total{reason="overload"}`
)

// metrics are sums by name, and by name with reason="overload".
type metrics map[string]float64

func (p *process) scrape(ctx context.Context) (metrics, error) {
	var m metrics
	err := p.get(ctx, "/metrics", func(text io.Reader) (err error) {
		m, err = readMetrics(text)
		return err
	})
	return m, err
}

// readMetrics reads the text format of Prometheus.
func readMetrics(text io.Reader) (metrics, error) {
	const overload = `reason="overload"`
	m := metrics{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			continue
		}
		name, labels, _ := strings.Cut(line[:at], "{")
		m[name] += value
		if strings.Contains(labels, overload) {
			m[name+"{"+overload+"}"] += value
		}
	}
	return m, lines.Err()
}
