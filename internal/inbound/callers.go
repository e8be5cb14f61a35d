package inbound

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/contract"
)

// mostCallers is the number of calling services that are counted apart.
const mostCallers = 50

// The names of callers that are not counted apart.
const (
	otherCallers = "_OTHER"
	userCallers  = "_USER"
	anonymous    = ""
)

// callResult is what authorization has come to: a label of chassis_rpc_caller_calls_total.
type callResult uint8

const (
	admitted callResult = iota
	refused
	audited
)

var callResults = [...]string{admitted: "admitted", refused: "refused", audited: "audited"}

// callerCounters are the counters of one caller, by callResult.
type callerCounters [len(callResults)]prometheus.Counter

// callers counts calls by calling service. Certificates prove the names, so clients cannot invent
// them, and there is a bound for authorities that issue many.
type callers struct {
	vec                   *prometheus.CounterVec
	anonymous, user, rest *callerCounters

	mu    sync.Mutex                                 // held to add one
	known atomic.Pointer[map[string]*callerCounters] // by SPIFFE ID; replaced, not changed, as each call reads it
}

func newCallers(vec *prometheus.CounterVec) *callers {
	c := &callers{vec: vec}
	c.anonymous, c.user, c.rest = c.of(anonymous), c.of(userCallers), c.of(otherCallers)
	c.known.Store(&map[string]*callerCounters{})
	return c
}

// of makes the counters of a name.
func (c *callers) of(name string) *callerCounters {
	counters := new(callerCounters)
	for result, text := range callResults {
		counters[result] = c.vec.WithLabelValues(name, text)
	}
	return counters
}

// count counts a call or a request. domain is the own trust domain.
func (c *callers) count(caller Caller, domain string, result callResult) {
	c.counters(caller, domain)[result].Inc()
}

func (c *callers) counters(caller Caller, domain string) *callerCounters {
	switch {
	case caller.ID == "" && caller.Subject != "":
		return c.user
	case caller.ID == "":
		return c.anonymous
	}
	if known := (*c.known.Load())[caller.ID]; known != nil {
		return known
	}
	name, own := contract.ServiceName(caller.ID, domain)
	if !own {
		return c.rest
	}
	return c.add(caller.ID, name)
}

// add counts a service apart from now on, if there is room for it.
func (c *callers) add(id, name string) *callerCounters {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := *c.known.Load()
	if known := before[id]; known != nil {
		return known
	}
	if len(before) >= mostCallers {
		return c.rest
	}
	known := maps.Clone(before)
	known[id] = c.of(name)
	c.known.Store(&known)
	return known[id]
}

// resultFor returns what authorization has come to about a call that was refused for reason,
// which is empty if it was not.
func resultFor(c *call, reason Reason) callResult {
	return resultOf(reason, Reason(c.wouldDeny()))
}

func resultOf(reason, wouldDeny Reason) callResult {
	switch {
	case reason == ReasonDenied || reason == ReasonUnauthenticated:
		return refused
	case wouldDeny != "":
		return audited
	default:
		return admitted
	}
}
