package main

import (
	"math/rand/v2"
	"time"
)

const ms = time.Millisecond

// shape is a load that a service has enough of everything for, or that lacks something through no
// fault of its callers.
type shape struct {
	name    string
	loads   func(lasts time.Duration) []load
	beside  disturbance // happens meanwhile; nil for nothing
	workers int         // goroutines of the service that compute all the time
}

// load is one kind of calls of a shape.
type load struct {
	rate     float64       // calls a second, at random
	burst    int           // or so many at once
	every    time.Duration // so often
	caller   int
	deadline time.Duration
	ask      func(at time.Duration, random *rand.Rand) ask
}

// ask is what a call asks for.
type ask struct {
	way           way
	wait, compute time.Duration // of the handler
	invalid       bool
}

var honestShapes = []shape{
	{name: "polls", loads: func(time.Duration) []load {
		return []load{
			{rate: 10, deadline: 2 * time.Second, ask: waits(time.Minute)},
			{rate: 10, deadline: 5 * time.Second, ask: waits(2 * time.Second)},
			{rate: 5, deadline: time.Second, ask: waits(50 * ms), caller: small},
		}
	}},
	{name: "many-polls", loads: func(lasts time.Duration) []load {
		poll := min(lasts/2, 30*time.Second)
		return []load{
			{rate: 500 / poll.Seconds(), deadline: poll + 5*time.Second, ask: waits(poll)},
			{rate: 100, deadline: time.Second, ask: waits(5 * ms), caller: small},
		}
	}},
	{name: "waits", loads: func(time.Duration) []load {
		return []load{{rate: 600, deadline: 6 * time.Second, ask: some(.3, time.Second, byDo)}}
	}},
	{name: "waits-rest", loads: func(time.Duration) []load {
		return []load{{rate: 200, deadline: 6 * time.Second, ask: some(.3, time.Second, byREST)}} // on 60 connections
	}},
	{name: "half-2s", loads: func(time.Duration) []load {
		return []load{{rate: 300, deadline: 6 * time.Second, ask: some(.5, 2*time.Second, byDo)}}
	}},
	{name: "rare-10s", loads: func(time.Duration) []load {
		return []load{{rate: 500, deadline: 15 * time.Second, ask: some(.01, 10*time.Second, byDo)}}
	}},
	{name: "rare-10s-methods", loads: func(time.Duration) []load {
		return []load{
			{rate: 250, deadline: 15 * time.Second, ask: some(.01, 10*time.Second, byDo)},
			{rate: 250, deadline: 15 * time.Second, ask: some(.01, 10*time.Second, byAlso)},
		}
	}},
	{name: "stops", beside: stops, loads: func(time.Duration) []load {
		return []load{{rate: 400, deadline: 5 * time.Second, ask: waits(40 * ms)}}
	}},
	{name: "dependency", loads: func(lasts time.Duration) []load {
		return []load{{rate: 300, deadline: 2 * time.Second, ask: func(at time.Duration, _ *rand.Rand) ask {
			switch part := float64(at) / float64(lasts); {
			case part < .2 || part > .7:
				return ask{wait: 5 * ms}
			case part < .4:
				return ask{wait: 500 * ms}
			default: // it hangs
				return ask{wait: time.Minute}
			}
		}}}
	}},
	{name: "hopeless", loads: func(time.Duration) []load {
		return []load{
			{rate: 800, deadline: 20 * ms, ask: waits(50 * ms)},
			{rate: 150, deadline: time.Second, ask: waits(50 * ms), caller: small},
		}
	}},
	{name: "deploy", loads: func(lasts time.Duration) []load {
		return []load{{rate: 100, deadline: 2 * time.Second, ask: func(at time.Duration, _ *rand.Rand) ask {
			if at < lasts*2/5 {
				return ask{wait: 200 * ms, compute: 3 * ms}
			}
			return ask{wait: 20 * ms, compute: 300 * time.Microsecond}
		}}}
	}},
	{name: "bursts", loads: func(time.Duration) []load {
		return []load{
			{burst: 500, every: 2 * time.Second, deadline: 5 * time.Second, ask: waits(50 * ms)},
			{rate: 50, deadline: time.Second, ask: waits(50 * ms), caller: small},
		}
	}},
	{name: "denied", loads: func(time.Duration) []load {
		return []load{
			{rate: 1000, deadline: time.Second, ask: func(time.Duration, *rand.Rand) ask { return ask{way: byDeny} }},
			{rate: 1000, deadline: time.Second, ask: func(time.Duration, *rand.Rand) ask { return ask{invalid: true} }},
			{rate: 100, deadline: time.Second, ask: waits(50 * ms), caller: small},
		}
	}},
	{name: "neighbour", beside: neighbour, loads: func(time.Duration) []load {
		return []load{{rate: 200, deadline: 2 * time.Second, ask: waits(5 * ms)}}
	}},
	{name: "worker", workers: 8, loads: func(time.Duration) []load {
		return []load{{rate: 100, deadline: 2 * time.Second, ask: waits(20 * ms)}}
	}},
}

func honestNames() (names []string) {
	for _, s := range honestShapes {
		names = append(names, s.name)
	}
	return names
}

// waits is a handler that waits for d.
func waits(d time.Duration) func(time.Duration, *rand.Rand) ask {
	return func(time.Duration, *rand.Rand) ask { return ask{wait: d} }
}

// some is a handler that waits for d in a share of the calls, and for a millisecond in the rest.
func some(share float64, d time.Duration, by way) func(time.Duration, *rand.Rand) ask {
	return func(_ time.Duration, random *rand.Rand) ask {
		if random.Float64() < share {
			return ask{way: by, wait: d}
		}
		return ask{way: by, wait: ms}
	}
}
