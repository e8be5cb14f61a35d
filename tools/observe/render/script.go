package main

import (
	"context"
	"io"
	"log"
	"time"
)

// times are when what was planted happened.
type times struct {
	start, bad, bad1, rolledBack, good, good1, end time.Time
	// failing is a moment in the midst of the failure.
	failing time.Time
	commits map[string]time.Time
}

// play runs the script: a restart, a bad deployment, its rollback and a good deployment, under a
// steady load.
func (f *fleet) play(ctx context.Context) (t times, err error) {
	t.commits = map[string]time.Time{}
	for _, v := range f.versions {
		t.commits[v.name] = f.began.Add(-v.age).Truncate(time.Second)
	}
	if err := f.roll(ctx, f.versions[0]); err != nil {
		return t, err
	}
	if err := f.deploy(ctx, f.desk, f.dir+"/frontdesk"); err != nil {
		return t, err
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	go f.load(loading)
	t.start = time.Now()
	for _, step := range []struct {
		what  string
		after time.Duration
		do    func() error
	}{
		{"a restart of the same build", 50 * time.Second, func() error { return f.roll(ctx, f.versions[0]) }},
		{"a bad deployment", 25 * time.Second, func() error {
			t.bad = time.Now()
			err := f.roll(ctx, f.versions[1])
			t.bad1 = time.Now()
			return err
		}},
		{"the rollback", 35 * time.Second, func() error {
			t.failing = time.Now()
			err := f.roll(ctx, f.versions[0])
			t.rolledBack = time.Now()
			return err
		}},
		{"a good deployment", 85 * time.Second, // the long windows of the page close half an hour after the failure: a minute
			func() error {
				t.good = time.Now()
				err := f.roll(ctx, f.versions[2])
				t.good1 = time.Now()
				return err
			}},
		{"the end", 35 * time.Second, func() error { return nil }},
	} {
		if err := sleep(ctx, step.after); err != nil {
			return t, err
		}
		log.Print(step.what)
		if err := step.do(); err != nil {
			return t, err
		}
	}
	t.end = time.Now()
	return t, nil
}

// roll deploys a version, one replica after the other.
func (f *fleet) roll(ctx context.Context, v version) error {
	for _, r := range f.hello {
		if err := f.deploy(ctx, r, v.binary); err != nil {
			return err
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// load calls frontdesk by REST, which calls hello, and the replicas of hello in turn. Now and then
// a caller makes a mistake, which is no failure.
func (f *fleet) load(ctx context.Context) {
	for n, tick := 0, time.NewTicker(40*time.Millisecond); ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
		go func() {
			_, _ = get(ctx, "http://"+f.desk.rest+"/v1/welcome/Ada", io.Discard) // the metrics have the result
			_, _ = get(ctx, "http://"+f.hello[n%replicas].rest+"/v1/hello/Ada", io.Discard)
		}()
		if n%20 == 0 {
			go func() { _, _ = get(ctx, "http://"+f.desk.rest+"/v1/nothing", io.Discard) }()
		}
	}
}
