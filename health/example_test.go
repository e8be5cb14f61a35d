package health_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/betmakers/paddock/health"
)

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	monitor, err := health.New(health.Config{})
	if err != nil {
		panic(err)
	}
	checks := []health.Check{
		{Name: "database", Probe: func(context.Context) error { return nil }},
		{Name: "odds-feed", Probe: func(context.Context) error { return errors.New("no prices for 30 s") }, Soft: true},
	}
	for _, c := range checks {
		if err := monitor.Add(c); err != nil {
			panic(err)
		}
	}

	monitor.Start(ctx)
	if err := monitor.WaitFirst(ctx); err != nil {
		panic(err)
	}
	monitor.SetServing(true)
	fmt.Println("ready:", monitor.Ready())

	monitor.SetServing(false) // the service drains
	answer := httptest.NewRecorder()
	monitor.Readyz().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	fmt.Println(answer.Code)
	fmt.Print(answer.Body)

	if err := monitor.Stop(); err != nil {
		panic(err)
	}
	// Output:
	// ready: true
	// 503
	// [-]serving switched off
	// [+]database ok
	// [-]odds-feed failing (soft)
	// readyz check failed
}
