package main

import (
	"context"
	"fmt"
	"time"
)

// looks are what the service's metrics showed now and then.
type looks struct {
	all, holding int
	queued       float64 // the most
}

// lookOn looks until ctx ends.
func lookOn(ctx context.Context, service *process) (l looks) {
	for pause(ctx, 250*time.Millisecond) {
		seen, err := service.scrape(ctx)
		if err != nil {
			continue // it stands still, or ctx has ended
		}
		l.all++
		if seen[metricHolding] > 0 {
			l.holding++
		}
		l.queued = max(l.queued, seen[metricQueued])
	}
	return l
}

func (l looks) String() string {
	return fmt.Sprintf("%s; %.0f", percent(float64(l.holding)/float64(max(l.all, 1))), l.queued)
}
