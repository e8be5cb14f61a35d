package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/betmakers/paddock/telemetry/alerts"
)

const scrapeInterval = time.Second

type prometheus struct {
	address string
	cmd     *exec.Cmd
	log     *bytes.Buffer
}

func startPrometheus(ctx context.Context, dir string, targets []string) (*prometheus, error) {
	var files []string
	for name, content := range alerts.Files() {
		if !strings.HasPrefix(name, "rules/") {
			continue
		}
		scaled, err := scale(content)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, filepath.Base(name))
		files = append(files, strconv.Quote(path))
		if err := os.WriteFile(path, scaled, 0o600); err != nil {
			return nil, err
		}
	}
	for i, target := range targets {
		targets[i] = strconv.Quote(target)
	}
	config := fmt.Sprintf("global: {scrape_interval: %s, scrape_timeout: %s}\nrule_files: [%s]\nscrape_configs:\n- {job_name: paddock, static_configs: [{targets: [%s]}]}\n",
		scrapeInterval, scrapeInterval, strings.Join(files, ", "), strings.Join(targets, ", "))
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(ctx, 1)
	if err != nil {
		return nil, err
	}
	address := addresses[0]
	p := &prometheus{address: address, log: &bytes.Buffer{}}
	p.cmd = exec.CommandContext(ctx, "prometheus", "--config.file="+path, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--query.lookback-delta=10s")
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	return p, p.cmd.Start()
}

func (p *prometheus) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // its data is thrown away
}

// result is one series of an answer, with one value or many.
type result struct {
	Metric map[string]string
	Value  sample
	Values []sample
}

type sample struct {
	time  time.Time
	value float64
}

func (s *sample) UnmarshalJSON(text []byte) error {
	var pair [2]any
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	seconds, _ := pair[0].(float64)
	value, _ := pair[1].(string)
	s.time = time.UnixMilli(int64(seconds * 1000))
	var err error
	s.value, err = strconv.ParseFloat(value, 64)
	return err
}

func (p *prometheus) at(ctx context.Context, expr string, t time.Time) ([]result, error) {
	return p.ask(ctx, "query", url.Values{"query": {expr}, "time": {unix(t)}})
}

func (p *prometheus) between(ctx context.Context, expr string, from, to time.Time) ([]result, error) {
	return p.ask(ctx, "query_range", url.Values{"query": {expr}, "start": {unix(from)}, "end": {unix(to)}, "step": {"1"}})
}

func (p *prometheus) ask(ctx context.Context, what string, values url.Values) ([]result, error) {
	var body bytes.Buffer
	if _, err := get(ctx, "http://"+p.address+"/api/v1/"+what+"?"+values.Encode(), &body); err != nil {
		return nil, err
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []result }
	}
	if err := json.Unmarshal(body.Bytes(), &answer); err != nil {
		return nil, fmt.Errorf("%w in %s", err, body.String())
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", values.Get("query"), answer.Error)
	}
	return answer.Data.Result, nil
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
