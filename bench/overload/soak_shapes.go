package main

import (
	"math/rand/v2"
	"time"
)

// soakLoads are the honest shapes mixed, each with fewer calls and with time for a machine that
// others take.
func soakLoads() []load {
	const patience = 10 * time.Second
	slow := func(at time.Duration, _ *rand.Rand) ask { // a dependency that is slow for 20 s of each minute, and then hangs for 10
		switch second := at % time.Minute; {
		case second < 30*time.Second:
			return ask{wait: 5 * ms}
		case second < 50*time.Second:
			return ask{wait: 500 * ms}
		default:
			return ask{wait: time.Minute}
		}
	}
	return []load{
		{rate: 10, deadline: 2 * time.Second, ask: waits(time.Minute)},     // polls that end without news
		{rate: 20, deadline: patience, ask: waits(2 * time.Second)},        // and others
		{rate: 80, deadline: patience, ask: some(.3, time.Second, byDo)},   // waits of two kinds
		{rate: 30, deadline: patience, ask: some(.3, time.Second, byREST)}, // by REST too
		{rate: 40, deadline: 15 * time.Second, ask: some(.01, 10*time.Second, byAlso)},
		{rate: 40, deadline: 2 * time.Second, ask: func(at time.Duration, random *rand.Rand) ask {
			a := slow(at, random)
			a.compute = 200 * time.Microsecond
			return a
		}},
		{rate: 50, deadline: 20 * ms, ask: waits(50 * ms), caller: small},             // without hope
		{rate: 50, deadline: patience, ask: waits(40 * ms), caller: small},            // and others of the same caller
		{burst: 200, every: 5 * time.Second, deadline: patience, ask: waits(50 * ms)}, // bursts
		{rate: 50, deadline: patience, ask: func(time.Duration, *rand.Rand) ask { return ask{way: byDeny} }},
		{rate: 50, deadline: patience, ask: func(time.Duration, *rand.Rand) ask { return ask{invalid: true} }},
	}
}
